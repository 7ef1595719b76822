<?php

declare(strict_types=1);

/** What a page that copies a listing says after it. */
const USE_OF = [
    'plain' => "\nlisten(['news/#'], ({ ep, e }) => console.log(ep.emitted, e.type, e.detail), console.info);\n",
    'client' => "\nlisten(['news/#'], ({ topic, type, detail }) => console.log(topic, type, detail), console.info);\n",
];

/** A file as HTML, its comments and strings marked. */
function listing(string $file, string $end = ''): string
{
    $tokens = '~//[^\n]*|/\*.*?\*/|\'(?:[^\'\\\\\n]|\\\\.)*\'|"(?:[^"\\\\\n]|\\\\.)*"|`[^`]*`~s';
    $mark = fn (array $found): string => sprintf(
        '<span class="%s">%s</span>',
        $found[0][0] === '/' ? 'comment' : 'string',
        $found[0],
    );
    return preg_replace_callback($tokens, $mark, htmlspecialchars(file_get_contents($file) . $end, ENT_NOQUOTES));
}
