/** Dark reading room by default, light on wish. */

export type Theme = 'dark' | 'light';
const STORED = 'radrelay-theme';

const state = $state<{ theme: Theme }>({ theme: localStorage.getItem(STORED) === 'light' ? 'light' : 'dark' });

export function theme(): Theme {
  return state.theme;
}

export function setTheme(chosen: Theme): void {
  state.theme = chosen;
  document.documentElement.dataset['theme'] = chosen;
  localStorage.setItem(STORED, chosen);
}

document.documentElement.dataset['theme'] = state.theme;
