/** What tells pictures of a series apart, from the server's description of instances and frames. */

import type { FramePlane } from '../api/planes';
import type { InstanceRow } from '../api/types';
import { formatNumber, t, tCode } from '../i18n/index.svelte';
import type { Plane } from '$viewer/planes';
import { differ, Parts, type Aspect, type Part, type Telling, type Told } from '$viewer/telling';

type Described = Pick<InstanceRow | FramePlane, 'kinds' | 'temporal_position' | 'echo_time' | 'b_value' | 'trigger_time'> &
  Partial<Pick<InstanceRow, 'image_type' | 'echo_number'>>;

export const tellingOf = (one: Described): Telling => ({
  kinds: one.kinds ?? [],
  type: one.image_type ?? '',
  temporal: one.temporal_position,
  echo: one.echo_time,
  echoNumber: one.echo_number ?? null,
  b: one.b_value,
  trigger: one.trigger_time,
});

const at = ({ position, row, column }: Plane): string => [...position, ...row, ...column].map((one) => (one + 0).toFixed(2)).join();

const told = (telling: Telling | null, plane: Plane | null): Told | null => telling && plane && { telling, at: at(plane) };

/** What one picture is among those that lie where it does: `Phase · b 1,000`. */
export function tellingText(telling: Telling, aspects: readonly Aspect[]): string {
  return aspects.map((aspect) => SAID[aspect](telling)).filter(Boolean).join(' · ') || t('telling.other');
}

const SAID: Readonly<Record<Aspect, (telling: Telling) => string>> = {
  kinds: ({ kinds }) => kinds.map((kind) => tCode('telling.kind', kind, kind)).join(', '),
  type: ({ type }) => type.replaceAll('\\', ' '),
  temporal: ({ temporal }) => (temporal === null ? '' : t('telling.temporal', { n: temporal })),
  echo: ({ echo }) => (echo === null ? '' : t('telling.echoTime', { ms: formatNumber(echo, 2) })),
  echoNumber: ({ echoNumber }) => (echoNumber === null ? '' : t('telling.echo', { n: echoNumber })),
  b: ({ b }) => (b === null ? '' : t('telling.b', { b: formatNumber(b) })),
  trigger: ({ trigger }) => (trigger === null ? '' : t('telling.trigger', { ms: formatNumber(trigger) })),
};

/** The parts of a stack (phases, echoes, magnitude and phase) with their names. */
export class StackParts {
  readonly #parts: Parts;

  constructor(count: number, describedAt: (place: number) => Described | null, planeAt: (place: number) => Plane | null) {
    const all = Array.from({ length: count }, (_, place) => {
      const described = describedAt(place);
      return described && tellingOf(described);
    });
    this.#parts = new Parts(differ(all) ? all.map((telling, place) => told(telling, planeAt(place))) : []);
  }

  get all(): readonly Part[] {
    return this.#parts.all;
  }

  textOf(part: Part | undefined): string {
    return part ? tellingText(part.telling, this.#parts.apart) : '';
  }

  of(place: number): Part | undefined {
    return this.#parts.of(place);
  }

  counterpart(part: Part, place: number): number {
    return this.#parts.counterpart(part, place);
  }
}
