<?php
/* SPDX-License-Identifier: GPL-2.0-only */
/* Mail by PHPMailer, all messages over one connection. Standard input: the job in JSON
 * (clients_tls.py). */
require '/usr/share/php/libphp-phpmailer/autoload.php';
$job = json_decode(stream_get_contents(STDIN), true);
$m = new PHPMailer\PHPMailer\PHPMailer(false);
$m::$validator = fn($address) => true;
$m->isSMTP();
$m->Host = $job['to'];
$m->Port = $job['port'];
$m->Helo = $job['ehlo'];
$m->Timeout = 20;
$m->SMTPKeepAlive = true;
$m->SMTPAutoTLS = false;
$m->SMTPSecure = ['plain' => '', 'starttls' => 'tls', 'implicit' => 'ssl'][$job['transport']];
$m->SMTPOptions = ['ssl' => ['verify_peer' => false, 'verify_peer_name' => false]];
$m->SMTPDebug = 2;
$m->Debugoutput = 'echo';
$m->Subject = 'test';
$m->Body = 'hello';
foreach ($job['messages'] as [$sender, $rcpts]) {
	$m->setFrom($sender);
	$m->Sender = $sender;
	$m->clearAddresses();
	foreach ($rcpts as $rcpt)
		$m->addAddress($rcpt);
	$m->send();
}
$m->smtpClose();
