// Task 3, the member B.

import { runMember } from './member.js';

await runMember('B');
