import { readFileSync } from 'node:fs';

let s = readFileSync('/tmp/w/out/v6dad.mjs', 'utf8');
s = s
  .replace("address6: 'fd65::2/64'", "address6: 'fd65::2/64', addresses: ['fd65::3/64']")
  .replace('stack.attach(', "addAddress('et0', 'fd65::2/64'); stack.attach(")
  .replace("addAddress('et0', 'fd65::1/64');\n", '')
  .replace("await shell('ip addr add fd65::2/64 dev et0');", '')
  .replace("'3', 'fd65::2'", "'3', 'fd65::3'");

import { writeFileSync } from 'node:fs';

writeFileSync('/tmp/w/out/v6dad2.mjs', s);
