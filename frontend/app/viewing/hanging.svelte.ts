/** The reader's hanging protocols: read once from the server, changed in the editor, kept there with a revision. */

import { preferences as api, type OwnPreference } from '../api/preferences';
import { session } from '../state/session.svelte';
import type { Protocol } from '$viewer/hanging';
import { protocolsOf, readStored, type Stored } from '$viewer/hanging-stored';

const NAME = 'hanging';

export class HangingBook {
  #kept = $state.raw<OwnPreference | null>(null);

  async load(): Promise<void> {
    if (session.isVisitor) return; // those of the program count
    this.#kept = await api.read(NAME);
  }

  /** Those that count, the reader's own or the organisation's before those of the program. */
  get protocols(): Protocol[] {
    return protocolsOf(this.#kept?.value ?? null, this.#kept?.default.value ?? null);
  }

  /** A copy to be edited. */
  get stored(): Stored {
    return readStored(this.#kept?.value ?? this.#kept?.default.value);
  }

  /** Whether the reader has protocols of their own. */
  get isOwn(): boolean {
    return this.#kept?.value != null;
  }

  /** Whether what counts are the organisation's. */
  get isOrganisations(): boolean {
    return !this.isOwn && this.#kept?.default.value != null;
  }

  /** Keeps the reader's own; null goes back to the organisation's. */
  async save(stored: Stored | null): Promise<void> {
    const kept = await api.write(NAME, stored, this.#kept?.revision ?? 0);
    if (this.#kept) this.#kept = { ...this.#kept, ...kept };
  }

  /** Makes them the default of all, which administrators may. */
  async saveForAll(stored: Stored): Promise<void> {
    const kept = await api.writeDefault(NAME, stored, this.#kept?.default.revision ?? 0);
    if (this.#kept) this.#kept = { ...this.#kept, default: kept };
  }
}
