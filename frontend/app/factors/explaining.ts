/** What went wrong with a second factor, in words; what the person stopped needs none. */

import { t } from '../i18n/index.svelte';
import { problemText } from '../state/notices.svelte';
import { PasskeyCancelled } from './webauthn';

export function explained(cause: unknown): string {
  if (cause instanceof PasskeyCancelled) return t('factor.cancelled');
  if (cause instanceof DOMException) return t('factor.passkeyThere');
  return problemText(cause);
}
