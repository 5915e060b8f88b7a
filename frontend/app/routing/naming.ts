/** What rules name by id: sources, groups and destinations, read once for a page. */

import { groups } from '../api/access';
import { destinations, sources } from '../api/endpoints';
import type { Names } from './saying';

interface Named {
  id: string;
  name: string;
}

export interface Known {
  sources: readonly Named[];
  groups: readonly Named[];
  destinations: readonly Named[];
  names: Names;
}

export async function everyName(): Promise<Known> {
  const [doors, wards, nodes] = await Promise.all([sources.list(), groups.list(), destinations.list()]);
  const names = new Map([...doors, ...wards, ...nodes].map(({ id, name }) => [id, name]));
  return { sources: doors, groups: wards, destinations: nodes, names };
}
