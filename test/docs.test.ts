import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { TraceEvent } from '../src/trace/events.ts';
import { categoryOf } from '../src/trace/sink.ts';
import { filesUnder, readText, repositoryRoot } from './support/repository.ts';

const documents = [...filesUnder('docs', '.md'), 'README.md', 'CONTRIBUTING.md'];

describe('documents', () => {
  it('describe every trace event with an example that is one', () => {
    const text = readText('docs/TRACE-EVENTS.md');
    const members = readText('src/trace/events.ts').matchAll(/^ {2}type: '([\w:]+)';/gm);
    for (const [, type] of members) {
      const section = text.split(/^## /m).find(part => part.startsWith(`${type} `));
      assert.ok(section !== undefined, `no section about ${type}`);
      const example = JSON.parse(/```json\n(.*)\n```/.exec(section)?.[1] ?? 'null') as TraceEvent | null;
      assert.equal(example?.type, type);
      assert.ok(categoryOf(example as TraceEvent) > 0);
      for (const field of Object.keys(example as TraceEvent)) {
        const known =
          ['type', 'atUs', 'host', 'local', 'remote'].includes(field) || section.includes(`\`${field}\``);
        assert.ok(known, `${type}: the field ${field} is not described`);
      }
    }
  });

  it('name files and link to pages that exist', () => {
    for (const path of documents) {
      if (!existsSync(join(repositoryRoot(), path))) continue;
      const text = readText(path);
      const folder = path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '.';
      for (const [, target] of text.matchAll(/\]\((?!https?:|#)([^)#]+)[^)]*\)/g)) {
        assert.ok(existsSync(join(repositoryRoot(), folder, target as string)), `${path} links to ${target}`);
      }
      for (const [, file] of text.matchAll(/`((?:src\/)?[a-z]+\/[\w/-]+\.ts)`/g)) {
        const found = ['', 'src/'].some(prefix => existsSync(join(repositoryRoot(), prefix + file)));
        assert.ok(found, `${path} names ${file}`);
      }
    }
  });
});
