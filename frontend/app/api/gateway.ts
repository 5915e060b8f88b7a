/** The gateway: relays in the DMZ, the certificate for outside, and the site's own checklist. */

import { get, put, remove } from './client';
import type { Trouble } from './directory';

export interface Relay {
  relay: string;
  connected: boolean;
  since: string | null;
  site: string;
  hosts: string[];
  ports: number[];
  public_port: number;
  certificate_ends: string | null;
  trouble: string;
  breaks: number;
  taken: number;
}

export interface Certificate {
  names: string[];
  ends_at: string | null;
  missing: string[];
  is_set: boolean;
  is_alone: boolean;
  trouble: Trouble | null;
}

export interface Acme {
  directory: string;
  contacts: string[];
  terms_accepted: boolean;
  binding_id: string;
  renews_at: string | null;
  again_at: string | null;
  failures: number;
  trouble: Trouble | null;
}

export interface AcmeAsked {
  directory: string;
  contacts: string[];
  terms_accepted: boolean;
  binding_id: string;
  binding_key: string;
}

export interface Node {
  kind: 'pacs' | 'worklist' | 'destination';
  name: string;
  ae_title: string;
  host: string;
  port: number;
  tls: boolean;
  calls_us: string;
}

export interface Door {
  kind: 'dicom' | 'dicom-tls' | 'hl7' | 'hl7-tls' | 'pages';
  host: string;
  port: number;
  ae_titles: string[];
  name: string;
  is_loopback: boolean;
}

export interface Way {
  source: string;
  target: string;
  host: string;
  port: number;
  purpose: string;
}

export interface Gateway {
  elsewhere: boolean;
  enrolled: boolean;
  agent_runs: boolean;
  onward: string;
  relays: Relay[];
  certificate: Certificate | null;
  acme: Acme | null;
  checklist: { nodes: Node[]; doors: Door[]; ways: Way[] };
}

export const gateway = {
  read: () => get<Gateway>('/api/gateway'),
  handIn: (chain: string, key: string) => put<Certificate>('/api/gateway/certificate', { chain, key }),
  ask: (asked: AcmeAsked) => put<Acme>('/api/gateway/acme', asked),
  askNobody: () => remove('/api/gateway/acme'),
};
