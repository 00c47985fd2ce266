'use strict';

const { test } = require('node:test');
const assert = require('node:assert/strict');
const path = require('node:path');
const { matchFiles, expandBraces, segmentPattern } = require('../src/app/glob');
const { writeApp } = require('../testhost/app');

const FILES = ['index.js', 'src/[id].js', 'src/a.js', 'src/b.mjs', 'src/deep/c.js', 'src/deep/er/d.js', 'src/.hidden.js', '.dot/e.js', 'other.ts'];

test('patterns', async (t) => {
  const root = writeApp(Object.fromEntries(FILES.map((name) => [name, ''])), null);
  const cases = {
    'index.js': ['index.js'],
    './index.js': ['index.js'],
    'src/*.js': ['src/[id].js', 'src/a.js'],
    './src/*.js': ['src/[id].js', 'src/a.js'],
    'src/**/*.js': ['src/[id].js', 'src/a.js', 'src/deep/c.js', 'src/deep/er/d.js'],
    'src/**/d.js': ['src/deep/er/d.js'],
    '**/c.js': ['src/deep/c.js'],
    src: ['src/[id].js', 'src/a.js', 'src/b.mjs', 'src/deep/c.js', 'src/deep/er/d.js'],
    'src/': ['src/[id].js', 'src/a.js', 'src/b.mjs', 'src/deep/c.js', 'src/deep/er/d.js'],
    'src/deep': ['src/deep/c.js', 'src/deep/er/d.js'],
    'src/[id].js': ['src/[id].js'],
    'src/[ab].*': ['src/a.js', 'src/b.mjs'],
    'src/[!a].mjs': ['src/b.mjs'],
    'src/?.js': ['src/a.js'],
    '{index.js,src/a.js}': ['index.js', 'src/a.js'],
    '{index,src/{a,b}}.{js,mjs}': ['index.js', 'src/a.js', 'src/b.mjs'],
    'src/*.@(js|mjs)': ['src/[id].js', 'src/a.js', 'src/b.mjs'],
    'src/!(a).js': ['src/[id].js'],
    'src/.*.js': ['src/.hidden.js'],
    'src/*/*.js': ['src/deep/c.js'],
    'missing.js': [], 'index': [], 'none/**': [], '*.md': [],
  };
  for (const [pattern, want] of Object.entries(cases)) {
    await t.test(pattern, async () => {
      const found = await matchFiles(root, pattern);
      assert.deepEqual(found.map((file) => path.relative(root, file).split(path.sep).join('/')).sort(), want.slice().sort());
      assert.equal(new Set(found).size, found.length);
    });
  }
});

test('braces', () => {
  assert.deepEqual(expandBraces('a{1..3}'), ['a1', 'a2', 'a3']);
  assert.deepEqual(expandBraces('{a}{b,c}'), ['{a}b', '{a}c']);
  assert.deepEqual(expandBraces('{a,b'), ['{a,b']);
  assert.deepEqual(expandBraces('{,x}'), ['', 'x']);
});

test('a pattern never breaks the regular expression it becomes', () => {
  for (const segment of ['a.b', 'a+b', '(', ')', '[', '[]', '[[]', 'a{', '$^', '\\', '@(', '!(a', '+(a|b)', '[z-a', '[\\]']) {
    assert.doesNotThrow(() => segmentPattern(segment), segment);
  }
  assert.ok(segmentPattern('a.b').test('a.b'));
  assert.ok(!segmentPattern('a.b').test('axb'));
});
