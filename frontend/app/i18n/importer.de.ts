/** German words for what goes wrong with another institution's portal, or with an import. */

import type english from './importer.en';

export default {
  'problem.portal-trouble': 'Das Portal tat nicht, was es sollte.',
  'problem.portal-not-allowed':
    'Portale unter {host} sind noch nicht erlaubt. Die Administration bestätigt den Namen einmal.',
  'problem.portal-address-refused': 'Diese Adresse führt zu keinem Portal im Internet.',
  'problem.portal-host-inside': '{host} liegt in diesem Haus oder ist diese Installation selbst, und kein Portal im Internet. Das lässt sich nicht bestätigen.',
  'problem.portal-not-encrypted': 'Diese Adresse ist nicht über HTTPS zu erreichen; es wurde nichts gesendet.',
  'problem.portal-unreachable': '{host} ist nicht zu erreichen.',
  'problem.portal-untrusted': 'Dem Zertifikat von {host} wird nicht vertraut; es wurde nichts gesendet.',
  'problem.portal-given-up': 'Das Herunterladen wurde aufgegeben, bevor alles da war.',
  'problem.portal-stalled':
    'Das Portal nahm die Anfrage an und sagte dann zu lange zu wenig. Bitte später erneut versuchen.',
  'problem.portal-broke-off':
    'Das Portal hat die Verbindung abgebrochen, bevor alles da war. Bitte erneut versuchen.',
  'problem.portal-busy': 'Das Portal ist ausgelastet und bittet, in {seconds} s wiederzukommen.',
  'problem.portal-refused': 'Das Portal antwortet mit einem Fehler (HTTP {status}).',
  'problem.portal-unclear': 'Dieses Portal spricht keine Sprache, die hier bekannt ist. Holen Sie die Bilder von Hand, oder lassen Sie ein Rezept dafür anlegen.',
  'problem.portal-no-login': 'Das Portal nahm die Antworten an und ließ trotzdem nicht ein: Vielleicht waren sie falsch. Vergleichen Sie sie mit dem Papier; stimmen sie, holen Sie die Bilder von Hand.',
  'problem.portal-redirects': 'Das Portal schickt endlos von einer Adresse zur nächsten.',
  'problem.portal-page-for-parcel':
    'Das Portal schickte eine Webseite statt Bildern; vielleicht ist der Link abgelaufen oder will eine Anmeldung.',
  'problem.portal-wrong-content': 'Was das Portal schickte, ist von keiner Art, die angenommen wird.',
  'problem.portal-too-large': 'Was das Portal schickt, ist größer als erlaubt.',
  'problem.portal-answer-wrong':
    'Das Portal kennt diesen Link nicht, oder die Antworten sind falsch. Verbleibende Versuche: {left}.',
  'problem.portal-answer-wrong-uncounted': 'Das Portal kennt diesen Link nicht, oder die Antworten sind falsch.',
  'problem.portal-answer-unusable':
    'Eine Antwort fehlt oder hat nicht die Form, die das Portal verlangt; es wurde nichts gesendet.',
  'problem.portal-attempts-spent': 'Zu viele falsche Antworten für diesen Link; es werden keine weiteren gesendet.',
  'problem.portal-link-expired': 'Der Link war richtig, ist aber abgelaufen. Nur wer ihn ausgegeben hat, kann ihn wieder freischalten.',
  'problem.portal-login-ended':
    'Das Portal hat die Anmeldung beendet und nimmt die Antworten nicht noch einmal an. Bitte neu beginnen.',
  'problem.portal-not-there': 'Das Portal hat nicht, wohin der Link führt.',
  'problem.portal-nothing-listed': 'Das Portal nimmt den Link an, nennt aber nichts zum Abholen.',
  'problem.import-trouble': 'Mit diesem Import stimmt etwas nicht.',
  'problem.import-unknown': 'Diesen Import gibt es nicht, oder er ist nicht für Sie bestimmt.',
  'problem.import-reported': 'Dieses Scheitern ist schon gemeldet.',
  'problem.import-report-unknown': 'Diese Meldung ist nicht mehr offen.',
  'problem.patient-unseen': 'Es geht um jemanden hier, den Sie nicht sehen dürfen; überlassen Sie das jemandem, der es darf.',
  'problem.import-finding-gone': 'Was Sie bestätigen wollten, wird so nicht mehr gefunden; bitte erneut ansehen.',
  'problem.import-chosen-otherwise': 'Inzwischen hat jemand eine andere Person oder einen anderen Auftrag gewählt; bitte erneut ansehen.',
  'problem.import-moved-on': 'Der Import ist inzwischen weiter; bitte erneut ansehen.',
  'problem.import-no-link':
    'Darin steht kein Link, der zu Bildern führt. Bitte den ganzen Link vom Papier oder aus der Nachricht übernehmen; steht dort nur ein Code, auch die Adresse des Portals (www.…).',
  'problem.import-link-unreadable': 'Der Link ist hier nicht mehr lesbar; bitte erneut eingeben.',
  'problem.import-stopped': 'Etwas hält das auf; so kann es nicht abgelegt werden.',
  'problem.import-put-aside': 'Nichts ist abgelegt: Unter denselben Nummern war inzwischen anderes da.',
  'problem.import-unconfirmed': 'Noch anzusehen: {count|Punkt|Punkte}.',
  'problem.import-undecided': 'Noch hat niemand gesagt, wem diese Bilder hier gehören.',
  'problem.import-order-unknown': 'Das ist kein Auftrag oder keiner mehr dieser Person, unter dem eine Studie abgelegt werden kann.',
  'problem.import-value-unwritable': 'Bilder können nicht aufnehmen, was hier steht: {field}.',
  'problem.import-value-too-long': 'Das sind mehr Zeichen, als Bilder aufnehmen (höchstens {most}): {field}.',
  'problem.import-patient-unusable': 'Eine Person braucht hier einen Namen und eine ID.',
  'problem.import-broken': 'Der Import brach mehrmals ab und wird nicht von selbst erneut versucht.',
  'problem.import-fetch-unforeseen':
    'Beim Abholen ging etwas schief, womit niemand gerechnet hat. Was eingegeben wurde, geht nicht von selbst noch einmal an das Portal: bitte erneut versuchen, und das Portal melden, wenn es wieder geschieht.',
  'problem.import-being-filed': 'Die Bilder werden gerade abgelegt. Ist das zu Ende, lässt sich der Import aufgeben oder das Abgelegte zurücknehmen.',
  'problem.import-too-large': 'Was das Portal insgesamt schickt, ist mehr, als ein Import bringen darf. Die Grenze setzt, wer Radrelay betreibt: {bound}.',
  'problem.import-too-long': 'Alles zu holen, was das Portal auflistet, dauert länger, als ein Import darf. Die Grenze setzt, wer Radrelay betreibt: {bound}.',
  'problem.import-nothing-whole': 'Nichts ist vollständig angekommen, was sich prüfen ließe.',
  'problem.import-held':
    'Inzwischen wurde eine Sicherung zurückgespielt; sehen Sie nach, ob dies schon abgelegt ist, bevor es weitergeht.',
  'problem.import-all-empty': '{count|Datei ist|Dateien sind} leer und nicht lesbar: {names}. Laden Sie andere hoch, oder geben Sie den Import auf.',
  'problem.import-nothing-brought': 'Es kam noch keine Datei. Laden Sie Dateien hoch, oder geben Sie den Import auf.',
  'problem.import-not-sent-on': 'Es ist hier abgelegt, aber nicht weitergesendet: Das Ziel ist fort oder nimmt es nicht mehr an. Senden Sie es noch einmal weiter, an dasselbe oder ein anderes Ziel.',
  'problem.import-nothing-to-send-on': 'Von dem, was abgelegt war, ist nichts mehr hier.',
  'problem.import-file-late': 'Diese Datei kam, nachdem gesagt war, dass keine mehr folgen. Sie gehört nicht zum Import und wird gelöscht; die Prüfseite nennt sie.',
  'problem.import-files-changed': 'Während die Dateien geprüft wurden, kam oder ging eine; sie werden noch einmal geprüft.',
  'problem.import-file-changed': 'Die Datei {file} ist nicht die, die geprüft wurde. Von ihr wurde nichts abgelegt, und nichts ging verloren: Versuchen Sie es erneut, dann werden alle Dateien noch einmal geprüft. Ist von diesem Import schon jemand abgelegt, geben Sie ihn auf (Abgelegtes bleibt) und beginnen Sie einen neuen.',
  'problem.raw-file-gone': 'Was kam, ist nicht mehr hier: Seine Zeit ist um, oder es wurde gelöscht.',
  'problem.portal-unknown': 'Ein Portal dieses Namens ist nicht bekannt.',
  'problem.import-forward-elsewhere':
    'Von diesen Studien ist mehr hier, als Portale gebracht haben, und Sie dürfen das nicht weitersenden. Legen Sie ohne Ziel ab, oder bitten Sie jemanden, der weitersenden darf.',
  'problem.import-take-back-held':
    'Die Verarbeitung dieser Studie ist eingeschränkt: Nichts davon wird zurückgenommen.',
  'problem.portal-locked':
    'Das Portal hat diesen Link nach falschen Antworten gesperrt. Bitten Sie den Absender, ihn zu entsperren.',
  'problem.portal-maintenance': 'Am Portal wird gearbeitet. Versuchen Sie es später noch einmal.',
  'problem.portal-person-needed':
    'Das Portal verlangt, dass ein Mensch weitermacht: ein Captcha oder einen Code per SMS. Öffnen Sie es im Browser und bringen Sie die Datei hierher.',
  'problem.portal-recipe-outdated':
    'Das Portal ist nicht mehr so, wie sein Rezept sagt (Schritt „{step}“). Das Rezept muss angepasst werden; öffnen Sie bis dahin das Portal im Browser und bringen Sie die Datei hierher.',
  'problem.browser-off':
    'Dieses Portal braucht einen Browser, und das Abholen damit ist hier ausgeschaltet. Öffnen Sie das Portal selbst und bringen Sie die Datei hierher, oder lassen Sie es einschalten.',
  'problem.browser-missing':
    'Der Browser, mit dem Portale abgelaufen werden, fehlt oder startet nicht. Sagen Sie es Ihrer Verwaltung; öffnen Sie bis dahin das Portal selbst und bringen Sie die Datei hierher.',
  'problem.browser-not-held':
    'Dieser Rechner kann einen Browser nicht eng genug einschließen, um ihm Portale zu zeigen; er wurde nicht gestartet. Sagen Sie es Ihrer Verwaltung; öffnen Sie bis dahin das Portal selbst und bringen Sie die Datei hierher.',
  'problem.browser-ended':
    'Der Browser endete, bevor alles da war. Versuchen Sie es später noch einmal.',
  'problem.browser-busy':
    'Es werden so viele Portale abgelaufen, wie gleichzeitig dürfen. Versuchen Sie es später noch einmal.',
  'problem.browser-page-hangs':
    'Die Seite des Portals antwortet nicht mehr. Versuchen Sie es später noch einmal.',
  'problem.browser-unanswered':
    'Niemand hat rechtzeitig geantwortet, was das Portal fragt. Versuchen Sie es noch einmal: Es beginnt von vorn.',
  'problem.browser-begun-again':
    'Das Portal musste von vorn begonnen werden und fragt neu. Ein früher gesandter Code gilt vielleicht nicht mehr.',
  'problem.walk-unreadable': 'Das ist keine HAR-Datei. Exportieren Sie eine aus dem Netzwerkteil der Entwicklerwerkzeuge.',
  'problem.walk-too-large': 'Dieser Gang ist größer als {limit_mb} MB. Zeichnen Sie ihn neu auf, nur bis zum Herunterladen.',
  'problem.walk-empty': 'In diesem Gang wurde nichts heruntergeladen, was ein ZIP oder eine DICOM-Datei ist. Gehen Sie bis zum Herunterladen, und exportieren Sie ihn dann.',
  'problem.walk-elsewhere': 'Dieser Gang führt nicht zu {host}, dem Portal dieses Imports.',
  'problem.walk-code-short': 'Ein Code mit so wenigen Zeichen ist in einem Gang nicht wiederzufinden.',
  'problem.walk-code-nowhere': 'Der Code steht nirgends in diesem Gang. Wurde er am Portal so eingegeben wie hier?',
  'problem.walk-code-wanted': 'Der Import kennt keinen Code, der in diesem Gang steht. Nennen Sie den, der am Portal eingegeben wurde.',
  'problem.walk-birth-date-nowhere': 'Das Geburtsdatum steht nirgends in diesem Gang.',
  'problem.walk-gives-away': 'Der Entwurf würde einen Code, ein Geburtsdatum oder einen Teil des Links verraten: Er steht im Namen eines Felds oder in einem Pfad. Es wurde kein Entwurf gemacht.',
  'problem.walk-busy': 'Gerade wird ein anderer Gang gelesen. Versuchen Sie es gleich noch einmal.',
  'problem.recipe-invalid': 'Dieses Rezept sagt nicht, was Rezepte sagen.',
} satisfies Record<keyof typeof english, string>;
