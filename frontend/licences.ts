/**
 * Writes licences.txt beside the pages: of each package that has come into the bundle or one of its workers, its name,
 * version, licence and notice. What lies in the bundle is asked, not what package.json names; a package without a
 * notice stops the build. `licences/` has the notices of what packages carry compiled and do not name themselves.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Plugin } from 'vite';

const HERE = dirname(fileURLToPath(import.meta.url));
const NODE_MODULES = join(HERE, 'node_modules');
/** Pieces that the bundler itself puts in, by the name of their module. */
const PUT_IN: readonly (readonly [RegExp, string])[] = [
  [/vite\/(preload-helper|modulepreload-polyfill)/, 'vite'],
  [/rolldown\/runtime/, 'rolldown'],
];
const COMPILED_IN: Readonly<Record<string, string>> = { '@cornerstonejs/codec-openjph': 'openjph.txt' };
/** Vite's file goes on with what its own tools are made of, which stays at home. */
const NOT_SERVED = /\n#+ Licenses of bundled dependencies[\s\S]*$/;
const RULE = `\n\n${'-'.repeat(80)}\n\n`;

interface Manifest {
  name: string;
  version: string;
  license?: string;
}

/** The folder below node_modules of the package that a module is of; none for our own. */
export function packageOf(module: string): string | null {
  const path = module.replaceAll('\\', '/');
  const within = /\/node_modules\/((?:.*\/node_modules\/)?(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1];
  return within ?? PUT_IN.find(([named]) => named.test(path))?.[1] ?? null;
}

function noticeOf(place: string): string {
  const folder = join(NODE_MODULES, place);
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
  const file = readdirSync(folder).find((one) => /^(licen[cs]e|copying)/i.test(one));
  if (!file || !license) throw new Error(`${name} is built into the pages and names no licence: write it into licences/`);
  const text = readFileSync(join(folder, file), 'utf8').replace(NOT_SERVED, '');
  const more = COMPILED_IN[name];
  const further = more ? `\n\n${readFileSync(join(HERE, 'licences', more), 'utf8').trim()}` : '';
  return `${name} ${version} (${license})\n\n${text.trim()}${further}`;
}

/** All notices as one text, by name. */
export function noticesOf(modules: Iterable<string>): string {
  const names = [...new Set([...modules].map(packageOf))].filter((name) => name !== null).sort();
  const head = 'What Radrelay’s pages are built from, besides Radrelay itself (Apache-2.0), and under which licences.';
  return `${[head, ...names.map(noticeOf)].join(RULE)}\n`;
}

/** The plugin of the pages, and the one of their workers, which tells it what they hold. */
export function licences(): { pages: Plugin; workers: () => Plugin } {
  const modules = new Set<string>();
  const gather = (bundle: Record<string, { type: string; moduleIds?: string[]; originalFileNames?: string[] }>): void => {
    for (const one of Object.values(bundle)) {
      for (const id of (one.type === 'chunk' ? one.moduleIds : one.originalFileNames) ?? []) modules.add(id.includes('node_modules/') ? `/${id}` : id);
    }
  };
  return {
    pages: {
      name: 'licences',
      apply: 'build',
      generateBundle(_, bundle) {
        gather(bundle);
        this.emitFile({ type: 'asset', fileName: 'licences.txt', source: noticesOf(modules) });
      },
    },
    workers: () => ({
      name: 'licences-of-workers',
      apply: 'build',
      generateBundle(_, bundle) {
        gather(bundle);
      },
    }),
  };
}
