/** Dark reading room by default, light on wish. */

import { kept } from './kept';

export type Theme = 'dark' | 'light';
const STORED = 'radrelay-theme';

const state = $state<{ theme: Theme }>({ theme: kept.getItem(STORED) === 'light' ? 'light' : 'dark' });

export function theme(): Theme {
  return state.theme;
}

export function setTheme(chosen: Theme): void {
  state.theme = chosen;
  document.documentElement.dataset['theme'] = chosen;
  kept.setItem(STORED, chosen);
}

document.documentElement.dataset['theme'] = state.theme;
