<?php

declare(strict_types=1);

namespace EsWebNotify\Tests\Support;

/** The registered topics of the running broker, in its own database. */
final class Rights
{
    private readonly \PDO $database;
    /** @var list<string> */
    private array $topics = [];

    public function __construct()
    {
        $this->database = new \PDO(
            Stack::variable('ESN_RIGHTS_DSN', 'PDO data source of the registered topics, such as sqlite:/path'),
            getenv('ESN_RIGHTS_USER') ?: null,
            getenv('ESN_RIGHTS_PASSWORD') ?: null,
            [\PDO::ATTR_ERRMODE => \PDO::ERRMODE_EXCEPTION, \PDO::ATTR_TIMEOUT => 30],
        );
    }

    /**
     * @param list<string> $pub
     * @param list<string> $sub
     */
    public function register(string $topic, string $owner, array $pub = [], array $sub = [], string $hash = ''): void
    {
        $this->run(
            'INSERT INTO registered_topics (topic, owner, pub, sub, pub_password) VALUES (?, ?, ?, ?, ?)',
            [$topic, $owner, json_encode($pub), json_encode($sub), $hash],
        );
        $this->topics[] = $topic;
    }

    /** @param list<string> $sub */
    public function allow(string $topic, array $sub): void
    {
        $this->run('UPDATE registered_topics SET sub = ? WHERE topic = ?', [json_encode($sub), $topic]);
    }

    public function follow(string $topic, string $user): void
    {
        $this->run(
            'INSERT INTO topic_followers (topic_id, user_id) SELECT id, ? FROM registered_topics WHERE topic = ?',
            [$user, $topic],
        );
    }

    public function forgetAll(): void
    {
        foreach ($this->topics as $topic) {
            $this->run(
                'DELETE FROM topic_followers WHERE topic_id IN (SELECT id FROM registered_topics WHERE topic = ?)',
                [$topic],
            );
            $this->run('DELETE FROM registered_topics WHERE topic = ?', [$topic]);
        }
        $this->topics = [];
    }

    /** @param list<string> $values */
    private function run(string $sql, array $values): void
    {
        $this->database->prepare($sql)->execute($values);
    }
}
