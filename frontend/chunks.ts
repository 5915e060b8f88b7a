/**
 * Which modules lie together in one file. Where many small files are wanted at once, a browser that speaks HTTP/1.1 asks
 * for six of them at a time, each six a way to the server and back: what every page starts with is one file, and what a
 * study's first picture needs beyond is another.
 */

import { fileURLToPath } from 'node:url';

interface Module {
  importedIds: readonly string[];
}

interface Graph {
  getModuleInfo: (id: string) => Module | null;
}

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const START = here('./app/main.ts');
const VIEWER = here('./app/pages/View.svelte');
const DAILY = [here('./app/pages/Studies.svelte'), here('./app/pages/Import.svelte')];

/** All that a module imports before it runs, and itself. */
function closure(graph: Graph, start: string): Set<string> {
  const found = new Set<string>();
  const open = [start];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    if (found.has(id)) continue;
    found.add(id);
    open.push(...(graph.getModuleInfo(id)?.importedIds ?? []));
  }
  return found;
}

/**
 * Names the file of a module: `start`, `viewer`, or none of the two. Each set holds all that its modules import. Styles of
 * the viewer lie in `start`, too: they are few, and a file of their own would wait for its turn.
 */
function chunkOf(id: string, graph: Graph): string | null {
  if (closure(graph, START).has(id)) return 'start';
  if (!closure(graph, VIEWER).has(id)) return null;
  const isShared = id.endsWith('.css') || DAILY.some((page) => closure(graph, page).has(id)); // no list loads the viewer
  return isShared ? 'start' : 'viewer';
}

export const groups = [{ name: chunkOf, includeDependenciesRecursively: false }];
