<?php

// What all pages of the demo have around them: head, navigation, foot, and words in the reader's language.

declare(strict_types=1);

const LANGUAGES = ['en', 'es'];

/** The one of LANGUAGES that the browser likes most (RFC 9110, section 12.5.4); English when it likes none. */
function language(): string
{
    static $chosen = null;
    if ($chosen === null) {
        $chosen = LANGUAGES[0];
        $best = 0.0;
        foreach (explode(',', $_SERVER['HTTP_ACCEPT_LANGUAGE'] ?? '') as $range) {
            $isRange = preg_match('/^\s*([a-z]{2})\b[^;]*(?:;\s*q=([\d.]+))?\s*$/i', $range, $part) === 1;
            $weight = (float) ($part[2] ?? 1);
            if ($isRange && $weight > $best && in_array(strtolower($part[1]), LANGUAGES, true)) {
                [$chosen, $best] = [strtolower($part[1]), $weight];
            }
        }
    }
    return $chosen;
}

/** All words of the reader's language, by their keys. */
function words(): array
{
    static $words = null;
    return $words ??= require __DIR__ . '/words/' . language() . '.php';
}

/** A word or sentence as HTML. */
function say(string $key): string
{
    return htmlspecialchars(words()[$key]);
}

/** The pages, in the order of the navigation: key of the name and where they are. */
const PAGES = ['home' => '', 'ways' => 'ways/', 'house' => 'house/', 'ask' => 'ask/'];

/** The released version, as the build has it. */
function version(): string
{
    $build = (string) @file_get_contents(dirname(__DIR__, 2) . '/configure.ac');
    return preg_match('/^AC_INIT\(\[[^]]*\], \[([^]]*)\]/m', $build, $found) === 1 ? $found[1] : '?';
}

/** The head of a page, up to its first element. `$root` leads to the demo's own folder. */
function begin_page(string $title, ?string $script, string $style = 'examples.css', string $root = '../'): void
{
    // The broker's own address is for the case that subscribers are redirected to it.
    header("Content-Security-Policy: default-src 'self'; connect-src 'self' " . getenv('ESN_FANOUT_URL')
        . "; base-uri 'none'; form-action 'self'; frame-ancestors 'self'");
    header('X-Content-Type-Options: nosniff');
    header('Vary: Accept-Language');
    $language = language();
    $title = htmlspecialchars($title);
    $words = json_encode(array_filter(words(), fn (string $key) => str_starts_with($key, 'js.'), ARRAY_FILTER_USE_KEY), JSON_HEX_TAG | JSON_HEX_AMP);
    $script = $script === null ? '' : "<script type=\"module\" src=\"$script\"></script>\n";
    echo <<<END
        <!doctype html>
        <html lang="$language">
        <head>
        <meta charset="utf-8">
        <title>$title</title>
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <link rel="icon" href="{$root}icon.svg" type="image/svg+xml">
        <link rel="stylesheet" href="$root$style">
        <script type="application/json" id="words">$words</script>
        $script</head>
        <body>

        END;
}

/** One of PAGES up to its content: navigation, how its connection is, name and first words. */
function begin_named_page(string $page, string $script, string $style = 'examples.css', bool $hasState = true): void
{
    $root = $page === 'home' ? '' : '../';
    begin_page(words()["name.$page"] . ' · es-web-notify', $script, $style, $root);
    $links = '';
    foreach (PAGES as $name => $folder) {
        $current = $name === $page ? ' aria-current="page"' : '';
        $links .= '<li><a href="' . ($root . $folder ?: './') . "\"$current>" . say("name.$name") . "</a></li>\n";
    }
    $state = $hasState ? '<p id="state" class="state" role="status" data-state="connecting">' . say('js.connecting') . '</p>' : '';
    $heading = say("name.$page");
    $lead = say("lead.$page");
    $label = say('pages');
    echo <<<END
        <header class="bar">
        <p class="brand"><img src="{$root}icon.svg" alt="" width="28" height="28">es-web-notify</p>
        <nav aria-label="$label"><ul>
        $links</ul></nav>
        $state
        </header>
        <main>
        <h1>$heading</h1>
        <p class="lead">$lead</p>

        END;
}

/** The end of one of PAGES: documents, version, and the page's own source, a file under deploy/demo. */
function end_page(string $page, string $file): void
{
    $root = $page === 'home' ? '' : '../';
    $link = fn (string $name, string $text): string => "<li><a href=\"{$root}file.php?name=" . rawurlencode($name) . "\">$text</a></li>\n";
    echo "</main>\n<footer class=\"foot\"><ul>\n",
        $link('README.md', say('readme')),
        $link('docs/protocol.md', say('protocol')),
        $link('docs/clients.md', say('clients')),
        $link("deploy/demo/$file", say('source')),
        '<li>', say('version'), ' ', htmlspecialchars(version()), "</li>\n</ul></footer>\n</body>\n</html>\n";
}
