/** Whether somebody points by finger: nothing can be dropped on a page then. */

import { MediaQuery } from 'svelte/reactivity';

export const touch = new MediaQuery('pointer: coarse', false);
