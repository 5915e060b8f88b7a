/** Portals of other institutions: whether they may be asked, how fetching from them goes, recipes, reports of failures. */

import { get, post, put } from './client';
import { type Import, importAt } from './imports';

const part = encodeURIComponent;

/** How a failed portal can be reported: whether a letter goes out, and what there is to agree to. */
export interface Reportable {
  by_mail: boolean;
  birth_date: boolean;
  answers: boolean;
  reported_at: string | null;
}

/** What goes along with a report. */
export interface WantedReport {
  text: string;
  with_link: boolean;
  with_birth_date: boolean;
  with_answers: boolean;
}

/** An open report of a failed portal, without what opens the link. */
export interface PortalReport {
  id: string;
  host: string;
  error: Import['error'];
  text: string;
  mailed: boolean;
  reported_by: string;
  reported_at: string;
}

export interface PortalReportDetail extends PortalReport {
  link: string;
  birth_date: string;
  answers: Record<string, string>;
}

export const portalReports = {
  reportable: (id: string) => get<Reportable>(`${importAt(id)}/report`),
  report: (id: string, wanted: WantedReport) => post<PortalReport>(`${importAt(id)}/report`, wanted),
  list: () => get<{ reports: PortalReport[] }>('/api/portal-reports').then((answer) => answer.reports),
  read: (id: string) => get<PortalReportDetail>(`/api/portal-reports/${part(id)}`),
  solved: (id: string) => post<null>(`/api/portal-reports/${part(id)}/solved`),
};

/** How fetching by a language or recipe goes: counts, time and the worst step of 30 days. */
export interface Fares {
  connector: string;
  state: 'untried' | 'well' | 'failing';
  fetched: number;
  failed: number;
  /** Of 1. */
  share: number | null;
  median_s: number | null;
  last_success_at: string | null;
  last_failure_at: string | null;
  last_failure_code: string;
  last_failure_step: string;
  worst_step: string;
  worst_step_failures: number;
}

export interface RecipeShown {
  id: string;
  name: string;
  hosts: string[];
  /** Why the file is no recipe. */
  broken: RecipeFault[];
  tests: { name: string; passed: boolean; step: string; why: Said | null }[];
  /** So many of its lines about failures are guesses. */
  guesses: number;
  /** It needs a browser: its tests are played by a command alone. */
  browser: boolean;
  fares: Fares;
}

/** What is said of a recipe: a code with its values, and plain English. */
export interface Said {
  code: string;
  values: Record<string, string | number | Said>;
  text: string;
}

/** What is wrong with a file: where (line 0: nobody can tell), and in which words. */
export interface RecipeFault {
  file: string;
  line: number;
  place: string;
  said: Said;
}

/** A draft of a recipe from one walk. */
export interface RecipeDraft {
  /** The file. */
  text: string;
  name: string;
  hosts: string[];
  steps: string[];
  questions: string[];
  /** What a person must still look at. */
  notes: Said[];
  /** Why it is no recipe as it stands. */
  broken: RecipeFault[];
  tests: RecipeShown['tests'];
}

export const recipes = {
  /** Drafts one from a HAR file; `code`: what was entered at the portal, if the link does not hold it. */
  record: (id: string, har: Blob, name: string, code: string) =>
    post<RecipeDraft>(`${importAt(id)}/recipe`, har, { query: { name }, headers: code ? { 'Entered-Code': part(code) } : {} }),
  list: () => get<{ folder: boolean; recipes: RecipeShown[] }>('/api/recipes'),
};

/** A portal elsewhere: whether it may be asked, and how fetching from it goes. */
export interface Portal {
  host: string;
  state: 'asked' | 'confirmed' | 'refused' | 'counted';
  /** The settings allow it. */
  listed: boolean;
  /** How it was met before anybody decided: the link's own host, or another one, to which `led_by` led. */
  led_how: '' | 'link' | 'redirect' | 'answer';
  led_by: string;
  asked_kind: '' | 'account' | 'token' | 'patient';
  asked_by: string;
  asked_at: string | null;
  /** The import that met it, while it is here. */
  import_id: string | null;
  decided_by: string;
  decided_at: string | null;
  successes: number;
  failures: number;
  seconds: number | null;
  last_failure_code: string;
  ways: Fares[];
}

export const portals = {
  list: () => get<{ portals: Portal[] }>('/api/portals').then((answer) => answer.portals),
  decide: (host: string, confirm: boolean) => put<Portal>('/api/portals', { host, confirm }),
};
