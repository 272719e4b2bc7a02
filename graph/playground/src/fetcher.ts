import type { Fetcher, FetcherParams, FetcherReturnType } from '@graphiql/toolkit';
import { Kind, parse, type ExecutionResult, type OperationDefinitionNode } from 'graphql';

const answer = 'application/graphql-response+json, application/json;q=0.9';

/** Sends what GraphiQL wants sent: queries and mutations as JSON, subscriptions as a stream of server-sent events. */
export function createFetcher(endpoint: string, token: string | null): Fetcher {
  return (params, options) => {
    const headers = new Headers({ 'Content-Type': 'application/json' });
    if (token) {
      headers.set('Authorization', `Bearer ${token}`);
    }
    // What the headers tab says goes before the top bar.
    for (const [name, value] of Object.entries(options?.headers ?? {})) {
      headers.set(name, String(value));
    }
    const operations = operationsOf(params.query);
    // GraphiQL learns the name of an operation a moment after its text: send no name that the text does not have.
    const named = operations.find(({ name }) => name?.value === params.operationName);
    const operationName = named?.name?.value;
    const send = (named ?? operations[0])?.operation === 'subscription' ? subscribe : post;
    return send(endpoint, headers, { ...params, operationName });
  };
}

function operationsOf(query: string): OperationDefinitionNode[] {
  try {
    return parse(query).definitions.filter(definition => definition.kind === Kind.OPERATION_DEFINITION);
  } catch {
    return []; // the server says what is wrong with it
  }
}

export async function post(endpoint: string, headers: Headers, params: FetcherParams): Promise<ExecutionResult> {
  headers.set('Accept', answer);
  return read(await fetch(endpoint, { method: 'POST', headers, body: JSON.stringify(params) }));
}

async function read(response: Response): Promise<ExecutionResult> {
  const body = await response.text();
  try {
    return JSON.parse(body);
  } catch {
    throw new Error(`${response.status} ${response.statusText}: ${body.trim().slice(0, 500)}`);
  }
}

// subscribe returns an observable and not a generator, since a generator that waits for an event cannot be stopped.
function subscribe(endpoint: string, headers: Headers, params: FetcherParams): FetcherReturnType {
  headers.set('Accept', 'text/event-stream');
  return {
    subscribe(observer: Observer) {
      const abort = new AbortController();
      stream(endpoint, headers, params, abort.signal, observer).catch(error => {
        if (!abort.signal.aborted) {
          observer.error(error);
        }
      });
      return { unsubscribe: () => abort.abort() };
    },
  } as FetcherReturnType;
}

interface Observer {
  next(result: ExecutionResult): void;
  error(error: unknown): void;
  complete(): void;
}

async function stream(
  endpoint: string,
  headers: Headers,
  params: FetcherParams,
  signal: AbortSignal,
  observer: Observer,
): Promise<void> {
  const response = await fetch(endpoint, { method: 'POST', headers, body: JSON.stringify(params), signal });
  if (!response.body || !response.headers.get('Content-Type')?.startsWith('text/event-stream')) {
    observer.next(await read(response));
    observer.complete();
    return;
  }
  for await (const event of events(response.body)) {
    if (event.name === 'complete') {
      break;
    }
    if (event.name === 'next') {
      observer.next(JSON.parse(event.data));
    }
  }
  observer.complete();
}

async function* events(body: ReadableStream<Uint8Array>): AsyncGenerator<{ name: string; data: string }> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let pending = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) {
        return;
      }
      const blocks = (pending + decoder.decode(value, { stream: true })).split(/\r?\n\r?\n/);
      pending = blocks.pop() ?? '';
      yield* blocks.map(parseEvent);
    }
  } finally {
    await reader.cancel();
  }
}

function parseEvent(block: string): { name: string; data: string } {
  let name = 'message';
  const data: string[] = [];
  for (const line of block.split(/\r?\n/)) {
    const [, field, value = ''] = /^([^:]*):? ?(.*)$/.exec(line) ?? [];
    if (field === 'event') {
      name = value;
    } else if (field === 'data') {
      data.push(value);
    }
  }
  return { name, data: data.join('\n') };
}
