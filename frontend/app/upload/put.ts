/** One file on its way: a PUT whose body the browser streams from disk, with progress. */

import { announceSessionEnd, ApiProblem, currentCsrfToken, problemFrom, renewed } from '../api/client';

/** Sends a file. Rejects with ApiProblem; status 0 means that the line broke. */
export function put(
  address: string,
  file: File,
  onProgress: (bytes: number) => void,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(); // fetch tells nothing of a body's progress
    request.open('PUT', address);
    const token = currentCsrfToken();
    request.setRequestHeader('X-CSRF-Token', token);
    request.setRequestHeader('Content-Type', file.type || 'application/octet-stream');
    request.upload.onprogress = (event) => onProgress(event.loaded);
    request.onload = () => {
      if (request.status >= 200 && request.status < 300) return resolve();
      if (request.status === 401) announceSessionEnd();
      const problem = problemFrom(request.status, request.responseText);
      void renewed(problem, token).then((again) => (again ? put(address, file, onProgress, signal).then(resolve, reject) : reject(problem)));
    };
    request.onerror = () => reject(new ApiProblem(0, 'unreachable', ''));
    request.onabort = () => reject(new DOMException('aborted', 'AbortError'));
    signal.addEventListener('abort', () => request.abort(), { once: true });
    request.send(file);
  });
}
