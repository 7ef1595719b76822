// Which transport worked, for as long as the tab lives. Storage may be missing or forbidden: then it is found again.

export function memory(base, name) {
  try {
    const key = `esn ${base}`;
    if (name) sessionStorage[key] = name;
    return sessionStorage[key];
  } catch {}
}
