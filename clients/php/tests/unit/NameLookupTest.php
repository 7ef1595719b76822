<?php

declare(strict_types=1);

namespace EsWebNotify\Tests\Unit;

use EsWebNotify\Http\NameLookup;
use EsWebNotify\Http\TransportFailure;
use EsWebNotify\Tests\Support\TemporaryDirectory;
use PHPUnit\Framework\TestCase;

final class NameLookupTest extends TestCase
{
    private const ANSWER = "2001:db8::7      STREAM broker\n192.0.2.7       STREAM broker\n192.0.2.7       DGRAM\n";

    public function testAddressesAreThoseOfTheSystem(): void
    {
        $names = new NameLookup(['printf', self::ANSWER]);

        self::assertSame(['broker:80:2001:db8::7,192.0.2.7'], $names->forCurl('http://Broker/notify/event', 60.0));
        self::assertSame(['broker:443:2001:db8::7,192.0.2.7'], $names->forCurl('https://broker/?token=x', 60.0));
        self::assertSame(['broker:8080:2001:db8::7,192.0.2.7'], $names->forCurl('http://broker:8080/', 60.0));
        self::assertMatchesRegularExpression('/^localhost:80:(127|::1)/', (new NameLookup())->forCurl('http://localhost/', 60.0)[0]);
    }

    public function testWhatNobodyHasToLookUpIsLeftToCurl(): void
    {
        $names = new NameLookup(['sleep', '1000']);

        foreach (['http://127.0.0.1/', 'http://[::1]:8080/', 'nonsense', 'http:///', 'http://-x/'] as $url) {
            self::assertSame([], $names->forCurl($url, 60.0), $url);
        }
    }

    public function testWhatTheSystemDoesNotKnowIsLeftToCurl(): void
    {
        self::assertSame([], (new NameLookup(['false']))->forCurl('http://broker/', 60.0));
        self::assertSame([], (new NameLookup(['echo', 'not an address']))->forCurl('http://broker/', 60.0));
        self::assertSame([], (new NameLookup(['/nowhere/getent']))->forCurl('http://broker/', 60.0));
    }

    public function testWherePhpMayStartNothingItIsLeftToCurl(): void
    {
        $autoload = var_export(dirname(__DIR__, 2) . '/autoload.php', true);
        $code = "require $autoload; echo json_encode((new EsWebNotify\\Http\\NameLookup())->forCurl('http://localhost/', 60.0));";
        $command = [PHP_BINARY, '-d', 'disable_functions=proc_open', '-r', $code];

        self::assertSame('[]', exec(implode(' ', array_map('escapeshellarg', $command))));
    }

    public function testANameServerThatIsSilentIsNotWaitedFor(): void
    {
        $this->expectException(TransportFailure::class);
        $this->expectExceptionMessage('the name broker was not found in time');

        (new NameLookup(['sh', '-c', 'exec sleep 1000']))->forCurl('http://broker/', 0.05);
    }

    public function testAnAddressIsRememberedAndAFailureIsNot(): void
    {
        $directory = new TemporaryDirectory();
        $count = $directory->path . '/asked';
        $script = "echo >>$count; test $(wc -l <$count) != 1 && echo 192.0.2.7";
        $names = new NameLookup(['sh', '-c', $script]);

        self::assertSame([], $names->forCurl('http://broker/', 60.0));
        for ($i = 0; $i < 3; $i++) {
            self::assertSame(['broker:80:192.0.2.7'], $names->forCurl('http://broker/', 60.0));
        }
        self::assertSame(2, substr_count((string) file_get_contents($count), "\n"));
        $directory->remove();
    }
}
