/**
 * Which of a workstation's displays the window stands on. A browser does not name them: a display is known by the size
 * and the place of its screen, and by the system's name of it where the person lets the browser tell.
 */

import type { Display } from '../api/roomcheck';

export interface ScreenFacts {
  /** Pixels of the device, as far as the ratio of pixels tells them. */
  columns: number;
  rows: number;
  css_width: number;
  css_height: number;
  screen_left: number;
  screen_top: number;
  label: string;
}

interface Placed {
  availLeft?: number;
  availTop?: number;
}

interface ScreenDetails {
  currentScreen: { label: string };
}

type Asking = Window & { getScreenDetails?: () => Promise<ScreenDetails> };

let details: ScreenDetails | null = null;

/** Whether the browser can tell the system's names of screens. */
export const canTellNames = (): boolean => typeof (window as Asking).getScreenDetails === 'function';

/** Asks for the system's names of screens: the person if `ask`, else only where that was allowed before. */
export async function readNames(ask: boolean): Promise<void> {
  const asking = window as Asking;
  if (details || !asking.getScreenDetails) return;
  try {
    const permission = await navigator.permissions.query({ name: 'window-management' as PermissionName });
    if (permission.state === 'granted' || ask) details = await asking.getScreenDetails();
  } catch {
    details = null; // refused, or not known to this browser: screens are told apart by size and place
  }
}

export function thisScreen(): ScreenFacts {
  const { width, height } = screen;
  const { availLeft = 0, availTop = 0 } = screen as Placed;
  return {
    columns: Math.round(width * devicePixelRatio),
    rows: Math.round(height * devicePixelRatio),
    css_width: width,
    css_height: height,
    screen_left: Math.round(availLeft),
    screen_top: Math.round(availTop),
    label: (details?.currentScreen.label ?? '').slice(0, 200),
  };
}

/**
 * The registered displays that this screen can be. Zooming changes the size in some browsers and the ratio of pixels in
 * others, so one of them must fit. Place and name must fit, too: of two equal displays one may be checked and one not.
 */
export function matching(all: readonly Display[], here: ScreenFacts): Display[] {
  return all.filter((one) => {
    const bySize = one.css_width === here.css_width && one.css_height === here.css_height;
    const byPixels = Math.abs(one.columns - here.columns) <= 2 && Math.abs(one.rows - here.rows) <= 2;
    const byPlace = one.screen_left === here.screen_left && one.screen_top === here.screen_top;
    const byName = !one.label || !here.label || one.label === here.label;
    return (bySize || byPixels) && byPlace && byName;
  });
}

/** Ratios of pixels that systems scale by; another one comes of the browser's zoom. */
const SYSTEM_SCALES = [1, 1.25, 1.5, 1.75, 2, 2.25, 2.5, 2.625, 2.75, 3, 3.5, 4];

export function seemsZoomed(ratio = devicePixelRatio): boolean {
  return !isPhone() && !SYSTEM_SCALES.some((scale) => Math.abs(scale - ratio) < 0.02);
}

/** A phone, by a screen that is touched and too small for a desk. */
export function isPhone(): boolean {
  return matchMedia('(pointer: coarse)').matches && Math.min(screen.width, screen.height) < 600;
}
