'use strict';

// deploy/grafana by Grafana's own schema of dashboards (@grafana/schema, types of TypeScript): each member is one that Grafana knows,
// with a value that it may have. That its questions are answered is tested with a real Prometheus (prometheus.test.js).

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const ts = require('typescript');
const { source } = require('./lib/paths');

// In memory alone; where they are is what finds the schema.
const fileOf = (number) => path.join(__dirname, `dashboard-${number}.ts`);

// What is saved as JSON has the text of an enum's member, and leaves away what has a default.
const TYPES = `
import type { Dashboard, FieldConfig, Panel } from '@grafana/schema';
import type * as stat from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type * as series from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';
type Saved<T> = T extends string ? \`\${T}\` : T extends Array<infer E> ? Saved<E>[] : T extends object ? { [K in keyof T]: Saved<T[K]> } : T;
type Some<T> = T extends Array<infer E> ? Some<E>[] : T extends object ? { [K in keyof T]?: Some<T[K]> } : T;
type Of<Type, Options, Custom> = Omit<Panel, 'type' | 'options' | 'fieldConfig'> & {
  type: Type;
  options: Some<Options>;
  fieldConfig: { defaults: Omit<FieldConfig, 'custom'> & { custom?: Some<Custom> }; overrides: never[] };
};
type Panels = Of<'stat', stat.Options, never> | Of<'timeseries', series.Options, series.FieldConfig>;
type Whole = Omit<Dashboard, 'panels'> & { panels: Panels[] };
const dashboard: Saved<Whole> = `;

/** What the schema has against each of these dashboards, in words. */
function faultsOf(dashboards) {
  const texts = new Map(dashboards.map((one, i) => [fileOf(i), `${TYPES}${JSON.stringify(one, null, 1)};\nexport default dashboard;\n`]));
  const options = {
    ...{ strict: true, noEmit: true, skipLibCheck: true, types: [], target: ts.ScriptTarget.ES2022 },
    ...{ module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler },
  };
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile, getSourceFile } = host;
  Object.assign(host, {
    fileExists: (file) => texts.has(file) || fileExists(file),
    readFile: (file) => texts.get(file) ?? readFile(file),
    getSourceFile: (file, ...more) => (texts.has(file) ? ts.createSourceFile(file, texts.get(file), options.target) : getSourceFile(file, ...more)),
  });
  const found = ts.getPreEmitDiagnostics(ts.createProgram([...texts.keys()], options, host));
  const words = (one) => ts.flattenDiagnosticMessageText(one.messageText, '\n');
  assert.deepEqual(found.filter(({ file }) => !texts.has(file?.fileName)).map(words), [], 'of no dashboard');
  return [...texts.keys()].map((name) => found.filter(({ file }) => file.fileName === name).map(words));
}

const read = () => JSON.parse(fs.readFileSync(path.join(source, 'deploy/grafana/es-web-notify.json'), 'utf8'));

test('the dashboard has what Grafana knows, and nothing else; a slip in it would be found', () => {
  const slips = [
    [(dashboard) => (dashboard.graphTooltip = 7), /'7'/],
    [(dashboard) => (dashboard.templating.list[0].kind = 'x'), /"kind"/],
    [(dashboard) => (dashboard.panels[0].options.colorMode = 'colourful'), /"colourful"/],
    [(dashboard) => (dashboard.panels.at(-1).fieldConfig.defaults.custom = { lineWidht: 1 }), /lineWidht/],
    [(dashboard) => (dashboard.panels[0].gridPos.x = '0'), /'string'|"0"/],
    [(dashboard) => delete dashboard.panels[0].type, /type/],
  ];
  const [whole, ...spoilt] = faultsOf([read(), ...slips.map(([slip]) => {
    const dashboard = read();
    slip(dashboard);
    return dashboard;
  })]);
  assert.deepEqual(whole, []);
  spoilt.forEach((faults, i) => assert.match(faults.join('\n'), slips[i][1]));
});
