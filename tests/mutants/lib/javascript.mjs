// The same slips in JavaScript, found in its syntax tree.
import { createRequire } from 'node:module';

const OFF_BY_ONE = { '<': '<=', '<=': '<', '>': '>=', '>=': '>' };

/** Every slip that the rules know. `packages` is a folder whose node_modules has acorn. */
export function slipsOfJavascript(source, packages) {
  const { parse } = createRequire(`${packages}/package.json`)('acorn');
  const slips = [];
  const add = (rule, node, after) => slips.push({ rule, start: node.start, end: node.end, plain: after, before: source.slice(node.start, node.end), after });
  walk(parse(source, { ecmaVersion: 'latest', sourceType: 'module' }), (node) => RULES[node.type]?.(node, add, (part) => source.slice(part.start, part.end)));
  return slips;
}

function walk(node, visit) {
  if (!node || typeof node.type !== 'string') return;
  visit(node);
  for (const value of Object.values(node)) {
    if (Array.isArray(value)) value.forEach((part) => walk(part, visit));
    else if (value && typeof value === 'object') walk(value, visit);
  }
}

function condition(node, add, text) {
  add('condition negated', node.test, `!(${text(node.test)})`);
  if (node.type === 'IfStatement') add('limit not applied', node.test, 'false');
}

function call(node, add, text) {
  for (let i = 0; i + 1 < node.arguments.length; i++) {
    const [a, b] = node.arguments.slice(i, i + 2);
    if (![a, b].every((part) => ['Identifier', 'MemberExpression'].includes(part.type))) continue;
    add('arguments swapped', { start: a.start, end: b.end }, `${text(b)}, ${text(a)}`);
  }
}

const RULES = {
  IfStatement: condition,
  ConditionalExpression: condition,
  LogicalExpression(node, add, text) {
    if (node.operator === '??') return;
    add('part of a condition left out', node, text(node.left));
    add('part of a condition left out', node, text(node.right));
  },
  BinaryExpression(node, add, text) {
    if (OFF_BY_ONE[node.operator]) add('comparison off by one', node, `${text(node.left)} ${OFF_BY_ONE[node.operator]} ${text(node.right)}`);
  },
  ExpressionStatement(node, add) {
    const kind = node.expression.type === 'AwaitExpression' ? node.expression.argument.type : node.expression.type;
    if (kind === 'CallExpression' && node.expression.callee?.name !== 'log') add('call left out', node, ';');
    else if (['AssignmentExpression', 'UpdateExpression'].includes(kind)) add('assignment left out', node, ';');
  },
  CallExpression: call,
  NewExpression: call,
  FunctionDeclaration(node, add) {
    add('early return', { start: node.body.start + 1, end: node.body.start + 1 }, ' return;');
  },
  MethodDefinition(node, add) {
    if (node.kind === 'method') add('early return', { start: node.value.body.start + 1, end: node.value.body.start + 1 }, ' return;');
  },
};
