// Workers that begin together: the time runs from when all of them are ready until the last one has answered, so neither
// starting threads nor loading modules is in it.

import { Worker } from 'node:worker_threads';

export async function timeTogether<Answer>(
  workers: readonly Worker[],
): Promise<{ readonly seconds: number; readonly answers: readonly Answer[] }> {
  await Promise.all(workers.map((worker) => answerOf(worker)));
  const began = performance.now();
  const answers = await Promise.all(
    workers.map((worker) => {
      const answer = answerOf<Answer>(worker);
      worker.postMessage('begin');
      return answer;
    }),
  );
  return { seconds: (performance.now() - began) / 1000, answers };
}

/** The next message of the worker. */
function answerOf<Answer>(worker: Worker): Promise<Answer> {
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}
