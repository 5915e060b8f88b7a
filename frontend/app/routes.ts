/** Which page stands at which path; each is a chunk of its own, read when first wanted. */

import type { Component } from 'svelte';
import type { IconName } from './parts/icons';

export type PageName =
  | 'studies'
  | 'import'
  | 'deliveries'
  | 'quarantine'
  | 'destinations'
  | 'sources'
  | 'accounts'
  | 'groups'
  | 'access'
  | 'audit'
  | 'displays'
  | 'system';

export interface Route {
  name: PageName | 'view' | 'missing';
  load: () => Promise<{ default: Component }>;
  /** Without the frame of navigation. */
  bare?: boolean;
}

interface Place extends Route {
  name: PageName;
  address: string;
  icon: IconName;
  admin: boolean;
}

export const places: readonly Place[] = [
  { name: 'studies', address: '/', icon: 'studies', admin: false, load: () => import('./pages/Studies.svelte') },
  { name: 'import', address: '/import', icon: 'import', admin: false, load: () => import('./pages/Import.svelte') },
  { name: 'deliveries', address: '/deliveries', icon: 'send', admin: false, load: () => import('./pages/Deliveries.svelte') },
  { name: 'quarantine', address: '/quarantine', icon: 'quarantine', admin: false, load: () => import('./pages/Quarantine.svelte') },
  { name: 'destinations', address: '/destinations', icon: 'destinations', admin: true, load: () => import('./pages/Destinations.svelte') },
  { name: 'sources', address: '/sources', icon: 'sources', admin: true, load: () => import('./pages/Sources.svelte') },
  { name: 'accounts', address: '/accounts', icon: 'accounts', admin: true, load: () => import('./pages/Accounts.svelte') },
  { name: 'groups', address: '/groups', icon: 'groups', admin: true, load: () => import('./pages/Groups.svelte') },
  { name: 'access', address: '/access', icon: 'key', admin: true, load: () => import('./pages/Access.svelte') },
  { name: 'audit', address: '/audit', icon: 'audit', admin: true, load: () => import('./pages/Audit.svelte') },
  { name: 'displays', address: '/display-check', icon: 'displays', admin: false, load: () => import('./pages/DisplayCheck.svelte') },
  { name: 'system', address: '/system', icon: 'system', admin: false, load: () => import('./pages/System.svelte') },
];

/** Where a study is looked at: its page is shown with the words of the first picture alone. */
export const VIEWER = '/view';

const viewer: Route = { name: 'view', bare: true, load: () => import('./pages/View.svelte') };
const missing: Route = { name: 'missing', load: () => import('./pages/Missing.svelte') };

/** The page at a path; what is for admins alone is missing for others. */
export function pageFor(path: string, isAdmin: boolean): Route {
  if (path === VIEWER) return viewer;
  const place = places.find(({ address }) => address === path);
  return place && (isAdmin || !place.admin) ? place : missing;
}
