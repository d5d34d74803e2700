// Task 3, the member A.

import { runMember } from './member.js';

await runMember('A');
