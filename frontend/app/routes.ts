/** Which page stands at which path; each is a chunk of its own, read when first wanted. */

import type { Component } from 'svelte';
import type { Account } from './api/types';
import { withWords } from './i18n/index.svelte';
import type { IconName } from './parts/icons';
import { fetches } from './state/house';
import { counted } from './state/use';

type Role = Account['role'];

export type PageName =
  | 'studies'
  | 'import'
  | 'imports'
  | 'imported'
  | 'fetch'
  | 'pacs'
  | 'schedules'
  | 'deliveries'
  | 'links'
  | 'quarantine'
  | 'waiting'
  | 'pseudonyms'
  | 'destinations'
  | 'sources'
  | 'hl7'
  | 'accounts'
  | 'groups'
  | 'access'
  | 'rules'
  | 'routing'
  | 'analyses'
  | 'analysis'
  | 'directory'
  | 'gateway'
  | 'restricted'
  | 'audit'
  | 'promises'
  | 'privacy'
  | 'requests'
  | 'incidents'
  | 'organisation'
  | 'consents'
  | 'usage'
  | 'amounts'
  | 'displays'
  | 'system';

export interface Route {
  name: PageName | 'view' | 'shared' | 'account' | 'missing';
  load: () => Promise<{ default: Component }>;
  /** Without the frame of navigation. */
  bare?: boolean;
}

interface Place extends Route {
  name: PageName;
  /** One that ends in a slash is of all that stands below it. */
  address: string;
  icon: IconName;
  admin: boolean;
  /** For the data protection officer, too, or for nobody else. */
  officer?: boolean | 'alone';
  /** Has no entry of its own among the pages, but stands beside this one. */
  under?: PageName;
}

export const places: readonly Place[] = [
  { name: 'studies', address: '/', icon: 'studies', admin: false, load: () => import('./pages/Studies.svelte') },
  { name: 'import', address: '/import', icon: 'import', admin: false, load: () => import('./pages/Import.svelte') },
  { name: 'imports', address: '/imports', icon: 'link', admin: false, under: 'import', load: () => import('./pages/Imports.svelte') },
  { name: 'imported', address: '/imports/', icon: 'link', admin: false, under: 'import', load: () => import('./pages/Imported.svelte') },
  { name: 'fetch', address: '/fetch', icon: 'fetch', admin: false, load: () => import('./pages/Fetch.svelte') },
  { name: 'pacs', address: '/pacs', icon: 'fetch', admin: true, under: 'fetch', load: () => import('./pages/PacsList.svelte') },
  { name: 'schedules', address: '/schedules', icon: 'fetch', admin: true, under: 'fetch', load: () => import('./pages/Schedules.svelte') },
  { name: 'deliveries', address: '/deliveries', icon: 'send', admin: false, load: () => import('./pages/Deliveries.svelte') },
  { name: 'links', address: '/links', icon: 'share', admin: false, load: () => import('./pages/Links.svelte') },
  { name: 'quarantine', address: '/quarantine', icon: 'quarantine', admin: false, load: () => import('./pages/Quarantine.svelte') },
  { name: 'waiting', address: '/waiting', icon: 'quarantine', admin: false, under: 'quarantine', load: () => import('./pages/Waiting.svelte') },
  { name: 'pseudonyms', address: '/pseudonyms', icon: 'mask', admin: false, load: () => import('./pages/Pseudonyms.svelte') },
  { name: 'destinations', address: '/destinations', icon: 'destinations', admin: true, load: () => import('./pages/Destinations.svelte') },
  { name: 'routing', address: '/rules', icon: 'list', admin: true, load: () => import('./pages/Routing.svelte') },
  { name: 'analyses', address: '/analyses', icon: 'lens', admin: true, load: () => import('./pages/Analyses.svelte') },
  { name: 'analysis', address: '/analysis', icon: 'lens', admin: false, under: 'studies', load: () => import('./pages/Analysis.svelte') },
  { name: 'sources', address: '/sources', icon: 'sources', admin: true, load: () => import('./pages/Sources.svelte') },
  { name: 'hl7', address: '/hl7', icon: 'tags', admin: true, load: () => import('./pages/Hl7.svelte') },
  { name: 'accounts', address: '/accounts', icon: 'accounts', admin: true, load: () => import('./pages/Accounts.svelte') },
  { name: 'groups', address: '/groups', icon: 'groups', admin: true, load: () => import('./pages/Groups.svelte') },
  { name: 'access', address: '/access', icon: 'key', admin: true, load: () => import('./pages/Access.svelte') },
  { name: 'rules', address: '/release-rules', icon: 'release', admin: true, load: () => import('./pages/Rules.svelte') },
  { name: 'directory', address: '/directory', icon: 'folder', admin: true, load: () => import('./pages/Directory.svelte') },
  { name: 'gateway', address: '/gateway', icon: 'sources', admin: true, load: () => import('./pages/Gateway.svelte') },
  { name: 'restricted', address: '/restricted', icon: 'hold', admin: true, officer: true, load: () => import('./pages/Restricted.svelte') },
  { name: 'audit', address: '/audit', icon: 'audit', admin: true, officer: true, load: () => import('./pages/Audit.svelte') },
  { name: 'promises', address: '/promises', icon: 'shield', admin: true, officer: true, load: () => import('./privacy/Promises.svelte') },
  { name: 'privacy', address: '/privacy', icon: 'shield', admin: true, officer: true, under: 'promises', load: () => import('./privacy/Texts.svelte') },
  { name: 'requests', address: '/requests', icon: 'shield', admin: true, officer: true, under: 'promises', load: () => import('./privacy/Requests.svelte') },
  { name: 'incidents', address: '/incidents', icon: 'shield', admin: true, officer: 'alone', under: 'promises', load: () => import('./privacy/Incidents.svelte') },
  { name: 'organisation', address: '/organisation', icon: 'shield', admin: true, officer: true, under: 'promises', load: () => import('./privacy/Organisation.svelte') },
  { name: 'consents', address: '/consents', icon: 'shield', admin: true, officer: true, under: 'promises', load: () => import('./privacy/Consents.svelte') },
  { name: 'usage', address: '/usage', icon: 'shield', admin: true, officer: true, under: 'promises', load: () => import('./statistics/Usage.svelte') },
  { name: 'amounts', address: '/unusual-volume', icon: 'shield', admin: true, officer: true, under: 'promises', load: () => import('./privacy/Amounts.svelte') },
  { name: 'displays', address: '/display-check', icon: 'displays', admin: false, load: () => import('./pages/DisplayCheck.svelte') },
  { name: 'system', address: '/system', icon: 'system', admin: false, load: () => import('./pages/System.svelte') },
];

/** Where a study is looked at: its page is shown with the words of the first picture alone. */
export const VIEWER = '/view';

/** Where patients enter a link before their visit; behind it stands whose page it is, where that is not the first house's. */
export const BRING = '/bring';

/** What is for whoever is not logged in: where people sign up, and where links in letters lead. */
const outside: Readonly<Record<string, () => Promise<{ default: Component }>>> = {
  '/password': () => import('./pages/Password.svelte'),
  '/sign-up': () => import('./pages/SignUp.svelte'),
  '/join': () => import('./pages/Join.svelte'),
  '/address': () => import('./pages/Address.svelte'),
  '/closed': () => import('./pages/Closed.svelte'),
};

const bring = (): Promise<{ default: Component }> => import('./pages/Bring.svelte');

/** The page at a path for whoever is not logged in, none where there is no such page. */
export function outsideAt(path: string): (() => Promise<{ default: Component }>) | undefined {
  return path === BRING || path.startsWith(`${BRING}/`) ? bring : outside[path];
}

/** One's own account. */
export const ACCOUNT = '/account';

/** Where single sign-on leads whose page waits in another tab. */
export const SIGNED_ON = '/signed-on';

/** Where links lead. */
export const LINK = '/s';

/** What is for who signed up by themselves. */
const GUESTS: readonly PageName[] = ['studies', 'import', 'links'];

/** Where other programs bring somebody. */
export const LAUNCH = '/launch';

const viewer: Route = { name: 'view', bare: true, load: () => import('./pages/View.svelte') };
const brought: Route = { name: 'missing', bare: true, load: () => withWords(import('../share/Brought.svelte')) };
const shared: Route = { name: 'shared', bare: true, load: () => withWords(import('../share/Shared.svelte')) };
const account: Route = { name: 'account', load: () => import('./pages/Account.svelte') };
const signedOn: Route = { name: 'missing', bare: true, load: () => withWords(import('./pages/SignedOn.svelte')) };
const missing: Route = { name: 'missing', load: () => import('./pages/Missing.svelte') };

/** Says whether a place is for somebody of this role. */
export function isFor(place: Place, role: Role | undefined): boolean {
  if (role === 'guest') return GUESTS.includes(place.name);
  if (place.name === 'usage' && !counted) return false;
  if ((place.name === 'fetch' || place.under === 'fetch') && !fetches) return false;
  if (place.officer === 'alone') return role === 'dpo';
  return !place.admin || role === 'admin' || (role === 'dpo' && place.officer === true);
}

/** The page at a path; what is for others alone is missing, and by a link or a launch there is but what that shows. */
export function pageFor(path: string, role: Role | undefined, launched = false): Route {
  if (path === VIEWER) return viewer;
  if (launched) return brought;
  if (role === 'link') return shared;
  if (path === SIGNED_ON) return signedOn;
  if (path === ACCOUNT) return account;
  const place = places.find(({ address }) => (address.length > 1 && address.endsWith('/') ? path.startsWith(address) : address === path));
  return place && isFor(place, role) ? place : missing;
}

/** The entry among the pages that a page stands under. */
export function entryOf(name: Route['name']): Route['name'] {
  return places.find((place) => place.name === name)?.under ?? name;
}
