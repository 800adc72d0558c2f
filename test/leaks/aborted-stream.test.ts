/** Thousands of aborted connections over the stream. */
import { describeAborted } from './aborted';

describeAborted('stream');
