// SPDX-License-Identifier: GPL-2.0-only
// Mail by nodemailer, through a pool of two connections. Standard input: the job in JSON (clients_tls.py).
'use strict';
const nodemailer = require('/usr/share/nodejs/nodemailer');
const job = JSON.parse(require('fs').readFileSync(0));

const transport = nodemailer.createTransport({
	pool: true, maxConnections: 2, host: job.to, port: job.port, name: job.ehlo,
	secure: job.transport === 'implicit', requireTLS: job.transport === 'starttls',
	ignoreTLS: job.transport === 'plain', tls: { rejectUnauthorized: false },
});

async function send([sender, rcpts]) {
	try {
		await transport.sendMail({ envelope: { from: sender, to: rcpts }, subject: 'test', text: 'hello' });
	} catch (refused) {
		console.log(refused.message);
	}
}

Promise.all(job.messages.map(send)).then(() => transport.close());
