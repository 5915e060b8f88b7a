/** What rules name by id: sources, groups, destinations and projects of pseudonyms, read once for a page. */

import { groups } from '../api/access';
import { destinations, sources } from '../api/endpoints';
import { projects } from '../api/pseudonyms';
import type { Destination } from '../api/delivering';
import type { Names } from './saying';
import { sourceName } from '../parts/source-name';

interface Named {
  id: string;
  name: string;
}

export interface Known {
  sources: readonly Named[];
  groups: readonly Named[];
  destinations: readonly Destination[];
  projects: readonly Named[];
  names: Names;
}

export async function everyName(): Promise<Known> {
  const [listed, wards, nodes, trials] = await Promise.all([sources.list(), groups.list(), destinations.list(), projects.list()]);
  const doors = listed.map(({ id, name }) => ({ id, name: sourceName(name) }));
  const names = new Map([...doors, ...wards, ...nodes, ...trials].map(({ id, name }) => [id, name]));
  return { sources: doors, groups: wards, destinations: nodes, projects: trials, names };
}
