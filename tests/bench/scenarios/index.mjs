import { fanout } from './fanout.mjs';
import { streams } from './streams.mjs';
import { topics } from './topics.mjs';
import { publish } from './publish.mjs';
import { latency } from './latency.mjs';
import { batches } from './batches.mjs';
import { burst } from './burst.mjs';
import { tls } from './tls.mjs';

export const scenarios = [latency, burst, fanout, streams, topics, publish, batches, tls];
