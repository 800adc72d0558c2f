/** Thousands of aborted connections over the socket. */
import { describeAborted } from './aborted';

describeAborted('socket');
