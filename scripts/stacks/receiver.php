<?php
// PHP: answers 200 to a JSON object, 400 to anything else.
if ($_SERVER['REQUEST_METHOD'] !== 'POST') {
    http_response_code(405);
    return;
}
$body = file_get_contents('php://input');
$alarm = json_decode($body);
http_response_code(is_object($alarm) ? 200 : 400);
