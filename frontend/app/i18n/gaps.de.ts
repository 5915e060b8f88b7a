/** Deutsche Texte von Lücken in einer Serie. */

import type en from './gaps.en';

const de: Record<keyof typeof en, string | [string, string]> = {
  'gap.after': [
    'Nach diesem Bild fehlt eines ({gap}\u00a0mm bis zum nächsten)',
    'Nach diesem Bild fehlen {n} ({gap}\u00a0mm bis zum nächsten)',
  ],
  'gap.before': [
    'Vor diesem Bild fehlt eines ({gap}\u00a0mm vom vorigen)',
    'Vor diesem Bild fehlen {n} ({gap}\u00a0mm vom vorigen)',
  ],
  'gap.series': ['An einer Stelle dieser Serie fehlen Bilder', 'An {n} Stellen dieser Serie fehlen Bilder'],
};

export default de;
