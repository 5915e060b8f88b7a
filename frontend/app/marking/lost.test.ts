/** What a reader is told of a change that was lost on leaving: in both languages, with all that is needed to make it again. */

import { beforeAll, describe, expect, it, vi } from 'vitest';
import { ApiProblem } from '../api/client';
import { setLanguage } from '../i18n/index.svelte';
import type { Mark } from '$viewer/marks/mark';
import { sayLost } from './lost';

const STUDY = 'Müller Anna, CT Thorax, 24 Aug 2024';
const mark = (text: string, name: string): Mark => ({
  id: 'mark', revision: 2, kind: 'length', instance_id: 'picture', frame: 1, points: [[1, 1], [9, 1]], text,
  values: [{ name: 'length', value: 12.5, unit: 'mm' }], author: { id: 'me', name: 'Weber' }, created_at: '', changed_at: '',
  changed_by: { id: name, name },
});
const [mine, theirs] = [mark('grown since March', 'Weber'), mark('unchanged', 'Groß')];

beforeAll(() => vi.stubGlobal('document', { documentElement: {} }));

describe.each(['en', 'de'] as const)('a lost change, in %s', (language) => {
  beforeAll(() => setLanguage(language, false, true));
  const problem = new ApiProblem(403, 'forbidden', '');

  it.each([
    ['changed by both', { mine, theirs }, [STUDY, 'Groß', 'unchanged', 'grown since March']],
    ['deleted meanwhile', { mine, theirs: null }, [STUDY, 'grown since March']],
    ['deleted here', { mine: null, theirs }, [STUDY, 'Groß', 'unchanged']],
    ['refused', { mine, theirs, problem }, [STUDY, 'grown since March']],
    ['not to be deleted', { mine: null, theirs, problem }, [STUDY, 'unchanged']],
  ])('%s', (_, lost, parts) => {
    const said = sayLost(lost, STUDY);
    for (const part of [...parts, language === 'de' ? '12,5\u00a0mm' : '12.5\u00a0mm']) expect(said).toContain(part);
    expect(said).not.toMatch(/[{}]|marks\./);
  });
});
