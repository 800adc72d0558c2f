/** Jest runs this in each test file (`setupFilesAfterEnv`). */
import { stopLeftovers } from './leftovers';

afterAll(stopLeftovers);
