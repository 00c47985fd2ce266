'use strict';

const fs = require('node:fs');
const path = require('node:path');

// The `main` of package.json is a glob pattern relative to the app: braces, *,
// **, ?, character classes and the extended @( +( ?( *( !( groups. A plain
// directory name stands for all it contains; names that begin with a dot must be
// spelled out.

const MAGIC = /[*?[\]{}()!+@]/;

/** Files (absolute paths) that match, in a stable order: files before directories, by name. */
async function matchFiles(root, pattern) {
  const literal = await literalMatches(root, pattern);
  if (literal) return literal;
  const found = new Set();
  for (const alternative of expandBraces(pattern.replace(/^\.\//, ''))) {
    for (const file of await matchOne(root, alternative)) found.add(file);
  }
  return [...found];
}

async function literalMatches(root, pattern) {
  const target = path.resolve(root, pattern);
  const stats = await fs.promises.stat(target).catch(() => undefined);
  if (stats?.isFile()) return [target];
  if (stats?.isDirectory() && target !== path.resolve(root)) return walk(target, ['**']);
  return MAGIC.test(pattern) ? undefined : [];
}

async function matchOne(root, pattern) {
  const segments = pattern.split('/').filter((segment) => segment !== '' && segment !== '.');
  let base = pattern.startsWith('/') ? '/' : path.resolve(root);
  while (segments.length > 1 && !MAGIC.test(segments[0])) base = path.join(base, segments.shift());
  return walk(base, segments);
}

async function walk(directory, segments, seen = new Set()) {
  const entries = await listDirectory(directory);
  const [first, ...rest] = segments;
  const files = [];
  const directories = [];
  for (const entry of entries) {
    if (first === '**') {
      if (entry.name.startsWith('.')) continue;
      if (entry.isDirectory) directories.push([entry.path, segments]);
      else if (rest.length === 0) files.push(entry.path);
    } else if (matches(first, entry.name)) {
      if (entry.isDirectory && rest.length > 0) directories.push([entry.path, rest]);
      else if (!entry.isDirectory && rest.length === 0) files.push(entry.path);
    }
  }
  if (first === '**' && rest.length > 0) files.push(...await walk(directory, rest, new Set(seen)));
  for (const [below, remaining] of directories) files.push(...await descend(below, remaining, seen));
  return files;
}

// A symbolic link that leads upwards would never end.
async function descend(directory, segments, seen) {
  const real = await fs.promises.realpath(directory);
  if (seen.has(real)) return [];
  return walk(directory, segments, new Set(seen).add(real));
}

async function listDirectory(directory) {
  const entries = await fs.promises.readdir(directory, { withFileTypes: true }).catch(() => []);
  const listed = await Promise.all(entries.map((entry) => describe(directory, entry)));
  return listed.filter(Boolean).sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function describe(directory, entry) {
  const full = path.join(directory, entry.name);
  const stats = entry.isSymbolicLink() ? await fs.promises.stat(full).catch(() => undefined) : entry;
  if (!stats || !(stats.isFile() || stats.isDirectory())) return undefined;
  return { name: entry.name, path: full, isDirectory: stats.isDirectory() };
}

function matches(segment, name) {
  if (name.startsWith('.') && !segment.startsWith('.')) return false;
  return segmentPattern(segment).test(name);
}

function segmentPattern(segment) {
  return new RegExp(`^${translate(segment)}$`);
}

const GROUP_SUFFIX = { '@': '', '+': '+', '?': '?', '*': '*' };

function translate(text) {
  let out = '';
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    const close = '@+?*!'.includes(char) && text[i + 1] === '(' ? closing(text, i + 1, '(', ')') : -1;
    if (close > 0) {
      out += group(char, text.slice(i + 2, close), text.slice(close + 1));
      i = close;
    } else if (char === '[' && text.indexOf(']', i + 2) > 0) {
      const end = text.indexOf(']', i + 2);
      out += `[${text.slice(i + 1, end).replace(/^!/, '^').replace(/\\/g, '\\\\')}]`;
      i = end;
    } else out += translateChar(char);
  }
  return out;
}

function translateChar(char) {
  if (char === '*') return '[^/]*';
  if (char === '?') return '[^/]';
  return char.replace(/[\\^$.|+()[\]{}]/, '\\$&');
}

function group(kind, inner, rest) {
  const alternatives = splitTop(inner, '|').map(translate).join('|');
  if (kind !== '!') return `(?:${alternatives})${GROUP_SUFFIX[kind]}`;
  return `(?!(?:${alternatives})${translate(rest)}$)[^/]*`;
}

/** All alternatives of {a,b} and {1..3} groups; a group with one member stays text. */
function expandBraces(pattern) {
  for (let open = pattern.indexOf('{'); open >= 0; open = pattern.indexOf('{', open + 1)) {
    const close = closing(pattern, open, '{', '}');
    if (close < 0) continue;
    const choices = braceChoices(pattern.slice(open + 1, close));
    if (!choices) continue;
    return choices.flatMap((choice) => expandBraces(pattern.slice(0, open) + choice + pattern.slice(close + 1)));
  }
  return [pattern];
}

function braceChoices(inner) {
  const range = /^(-?\d+)\.\.(-?\d+)$/.exec(inner);
  if (range) return numberRange(Number(range[1]), Number(range[2]));
  const choices = splitTop(inner, ',');
  return choices.length > 1 ? choices : undefined;
}

const MAX_RANGE = 1000;

function numberRange(from, to) {
  if (Math.abs(to - from) > MAX_RANGE) return undefined;
  const step = from <= to ? 1 : -1;
  const numbers = [];
  for (let n = from; n !== to + step; n += step) numbers.push(String(n));
  return numbers;
}

function closing(text, open, opener, closer) {
  let depth = 0;
  for (let i = open; i < text.length; i++) {
    if (text[i] === opener) depth++;
    else if (text[i] === closer && --depth === 0) return i;
  }
  return -1;
}

function splitTop(text, separator) {
  const parts = [''];
  let depth = 0;
  for (const char of text) {
    if (char === '{' || char === '(') depth++;
    else if (char === '}' || char === ')') depth--;
    if (char === separator && depth === 0) parts.push('');
    else parts[parts.length - 1] += char;
  }
  return parts;
}

module.exports = { matchFiles, expandBraces, segmentPattern };
