/** German words for what goes wrong with another institution's portal. */

import type english from './importer.en';

export default {
  'problem.portal-trouble': 'Das Portal tat nicht, was es sollte.',
  'problem.portal-not-allowed':
    'Portale unter {host} sind noch nicht erlaubt. Die Administration bestätigt den Namen einmal.',
  'problem.portal-address-refused': 'Diese Adresse führt zu keinem Portal im Internet.',
  'problem.portal-not-encrypted': 'Diese Adresse ist nicht über HTTPS zu erreichen; es wurde nichts gesendet.',
  'problem.portal-unreachable': '{host} ist nicht zu erreichen.',
  'problem.portal-untrusted': 'Dem Zertifikat von {host} wird nicht vertraut; es wurde nichts gesendet.',
  'problem.portal-stalled':
    'Das Portal nahm die Anfrage an und sagte dann zu lange zu wenig. Bitte später erneut versuchen.',
  'problem.portal-broke-off':
    'Das Portal hat die Verbindung abgebrochen, bevor alles da war. Bitte erneut versuchen.',
  'problem.portal-busy': 'Das Portal ist ausgelastet und bittet, in {seconds} s wiederzukommen.',
  'problem.portal-refused': 'Das Portal antwortet mit einem Fehler (HTTP {status}).',
  'problem.portal-unclear': 'Die Antwort des Portals ist keine, die diese Art des Abholens kennt.',
  'problem.portal-redirects': 'Das Portal schickt endlos von einer Adresse zur nächsten.',
  'problem.portal-page-for-parcel':
    'Das Portal schickte eine Webseite statt Bildern; vielleicht ist der Link abgelaufen oder will eine Anmeldung.',
  'problem.portal-wrong-content': 'Was das Portal schickte, ist von keiner Art, die angenommen wird.',
  'problem.portal-too-large': 'Was das Portal schickt, ist größer als erlaubt.',
  'problem.portal-answer-wrong':
    'Das Portal kennt diesen Link nicht, oder die Antworten sind falsch. Verbleibende Versuche: {left}.',
  'problem.portal-answer-unusable':
    'Eine Antwort fehlt oder hat nicht die Form, die das Portal verlangt; es wurde nichts gesendet.',
  'problem.portal-attempts-spent': 'Zu viele falsche Antworten für diesen Link; es werden keine weiteren gesendet.',
  'problem.portal-link-expired':
    'Der Link war richtig, ist aber abgelaufen. Bitte den Absender, ihn wieder freizuschalten.',
  'problem.portal-login-ended':
    'Das Portal hat die Anmeldung beendet und nimmt die Antworten nicht noch einmal an. Bitte neu beginnen.',
  'problem.portal-not-there': 'Das Portal hat nicht, wohin der Link führt.',
  'problem.portal-nothing-listed': 'Das Portal nimmt den Link an, nennt aber nichts zum Abholen.',
} satisfies Record<keyof typeof english, string>;
