-- What every other file may use. Created anew at each build.

-- The records to type: those whose content changed since the last build.
CREATE OR REPLACE VIEW raw.changed AS
SELECT
    r.source,
    s.platform,
    s.url,
    r.stream,
    r.key,
    r.container,
    r.stream || '/' || r.key AS record,
    r.payload,
    make_timestamp(r.first_seen_at) AS first_seen_at,
    make_timestamp(r.gone_at) AS gone_at
FROM raw.records AS r
INNER JOIN raw.sources AS s ON r.source = s.source
WHERE r.load > getvariable('since_load');

-- All that was ever seen of the records to type, where their past is kept; what an older version of this
-- warehouse brought has none, and is what it is now.
CREATE OR REPLACE VIEW raw.changed_versions AS
SELECT c.source, c.platform, c.stream, c.key, c.record, make_timestamp(v.seen_at) AS seen_at, v.state
FROM raw.changed AS c
INNER JOIN raw.versions AS v ON c.source = v.source AND c.stream = v.stream AND c.key = v.key

UNION ALL

SELECT c.source, c.platform, c.stream, c.key, c.record, c.first_seen_at AS seen_at, c.payload AS state
FROM raw.changed AS c
ANTI JOIN raw.versions AS v ON c.source = v.source AND c.stream = v.stream AND c.key = v.key
WHERE c.payload IS NOT NULL;

-- The moment the build speaks of (UTC). No query asks the clock.
CREATE OR REPLACE MACRO as_of() AS getvariable('as_of')::TIMESTAMP;

-- Whether something had ended by the moment the build speaks of. A build of the past leaves out what
-- ended later; a build of now counts all that is known: what a night finds deleted was found after
-- its moment was set, and must not stand one more day.
CREATE OR REPLACE MACRO has_ended(ended_at) AS
ended_at IS NOT NULL AND (ended_at <= as_of() OR NOT coalesce(getvariable('is_history')::BOOLEAN, FALSE));

-- Whether an answer stands as accepted; where a source does not say since when, it did before.
CREATE OR REPLACE MACRO is_accepted(accepted_at, gone_at) AS
NOT has_ended(gone_at) AND coalesce(accepted_at, as_of()) <= as_of();

-- A date in text, through its offset, or in milliseconds since 1970, as UTC. Without an offset it is
-- UTC already. Null if it is neither.
CREATE OR REPLACE MACRO plain_utc(written) AS coalesce(
    try_cast(written AS TIMESTAMPTZ) AT TIME ZONE 'UTC', epoch_ms(try_cast(written AS BIGINT))
);

-- The same, and Mongo's own forms of it: {"$date": ms}, {"$date": text}, {"$date": {"$numberLong": ms}}.
CREATE OR REPLACE MACRO utc(written) AS coalesce(
    plain_utc(written),
    plain_utc(try_cast(written AS JSON) ->> '$."$date"'),
    plain_utc(try_cast(written AS JSON) ->> '$."$date"."$numberLong"')
);

-- A time of a Discourse object: microseconds by Data Explorer (created_us), text by REST (created_at).
CREATE OR REPLACE MACRO discourse_at(payload, what) AS coalesce(
    make_timestamp(try_cast(payload ->> (what || '_us') AS BIGINT)), utc(payload ->> (what || '_at'))
);

-- Messages of Discourse's chat to type. A reply that its channel shows in a thread stands under the thread's
-- first message. What disappears undeleted has expired, as chat does there after some weeks, and still
-- counts, unless its author's account went the same night: its messages went with it. By REST,
-- a message of nobody is shown as deleted whenever one asks.
CREATE OR REPLACE VIEW raw.changed_chat AS
SELECT
    c.source,
    c.url,
    c.key,
    c.record,
    c.payload,
    'chat:' || c.key AS message_id,
    'chat:' || coalesce(c.payload ->> 'original_message_id', c.key) AS thread_id,
    'chat:' || (c.payload ->> 'chat_channel_id') AS channel_id,
    coalesce(c.payload ->> 'user_id', c.payload ->> '$.user.id') AS account_id,
    discourse_at(c.payload, 'created') AS created_at,
    coalesce(
        make_timestamp((c.payload ->> 'deleted_us')::BIGINT),
        CASE WHEN (c.payload ->> '$.user.id') IS NOT NULL THEN utc(c.payload ->> 'deleted_at') END
    ) AS deleted_at,
    CASE WHEN make_timestamp(a.gone_at) < c.gone_at + INTERVAL 12 HOURS THEN c.gone_at END AS gone_at,
    c.gone_at IS NOT NULL AS has_expired
FROM raw.changed AS c
LEFT JOIN raw.records AS a
    ON
        c.source = a.source AND a.stream = 'users'
        AND coalesce(c.payload ->> 'user_id', c.payload ->> '$.user.id') = a.key
WHERE c.platform = 'discourse' AND c.stream = 'chat_messages' AND c.payload IS NOT NULL;

-- What a chat message says: of a file that was sent without a word its caption.
CREATE OR REPLACE MACRO chat_text(payload) AS coalesce(
    nullif(payload ->> 'msg', ''), payload ->> '$.attachments[0].description', payload ->> 'msg'
);

-- Who wrote a chat message. Of a deleted account the server may keep the messages and write its own bot's
-- name over the author: whose they were is not told any more, but a person's.
CREATE OR REPLACE MACRO chat_author(payload) AS CASE
    WHEN (payload ->> '$.u._id') = 'rocket.cat' AND (payload ->> 'alias') = 'Removed User' THEN NULL
    ELSE payload ->> '$.u._id'
END;

-- The fingerprint of a text in its form, or of one with its title; null if either is.
CREATE OR REPLACE MACRO hash_of(one, other) AS md5(one || chr(31) || other);

-- A record without what its author wrote: of a text its length stays, of a quotation where it leads.
CREATE OR REPLACE MACRO without_text(stream, payload) AS json_merge_patch(payload, CASE stream
    WHEN 'posts'
        THEN
            json_object(
                'raw', NULL, 'cooked', NULL, 'excerpt', NULL, 'edit_reason', NULL, 'link_counts', NULL, 'polls', NULL,
                'let_go', length(coalesce(payload ->> 'raw', payload ->> 'cooked'))
            )
    WHEN 'messages'
        THEN
            json_object(
                'msg', NULL, 'md', NULL, 'html', NULL, 'urls', NULL, 'blocks', NULL, 'file', NULL, 'files', NULL,
                'attachments', list_transform(
                    payload ->> '$.attachments[*].message_link', LAMBDA link: { 'message_link': link }
                ),
                'let_go', length(chat_text(payload))
            )
    WHEN 'revisions' THEN json_object('modifications', NULL, 'let_go', 0)
    WHEN 'chat_messages' THEN json_object('message', NULL, 'let_go', length(payload ->> 'message'))
    WHEN 'reports'
        THEN
            json_object(
                'description', NULL, 'let_go', 0, 'message', json_object(
                    'msg', NULL, 'md', NULL, 'html', NULL, 'urls', NULL, 'blocks', NULL, 'attachments', NULL, 'file', NULL,
                    'files', NULL
                )
            )
    ELSE '{}'::JSON
END);

-- A flag, whether written true, 1, t or "true". Null stays null.
CREATE OR REPLACE MACRO flag(written) AS try_cast(written AS BOOLEAN);

-- HMAC-SHA256 (RFC 2104), first 16 hex digits. Its key is a session variable and never stored.
CREATE OR REPLACE MACRO pseudonym(named) AS substr(
    sha256(getvariable('outer_pad') || unhex(sha256(getvariable('inner_pad') || encode(named)))),
    1, 16
);

-- The pseudonym of the person behind an account: of "source/account", or of the first account of a
-- person who has several. As a subquery it is worked out once for each account, not for each row.
CREATE OR REPLACE MACRO person_id(of_source, of_account) AS (
    SELECT pseudonym(coalesce(max(i.head), of_source || '/' || of_account))
    FROM raw.identities AS i
    WHERE i.source = of_source AND i.account_id = of_account
);

-- A UTC time on the community's own clock. AT TIME ZONE 'UTC' would ask a calendar what needs none.
CREATE OR REPLACE MACRO local_time(at_utc) AS
make_timestamptz(epoch_us(at_utc)) AT TIME ZONE getvariable('time_zone');

-- The community's own calendar day of a UTC time.
CREATE OR REPLACE MACRO local_day(at_utc) AS local_time(at_utc)::DATE;

-- Hours between two times, fractions kept.
CREATE OR REPLACE MACRO hours_between(earlier, later) AS epoch_us(later - earlier) / 3600000000.0;

-- A human by the platform's word and by the settings' list of bots, however it writes their names; staged
-- accounts never logged in.
CREATE OR REPLACE MACRO is_human(is_bot, is_staged, username) AS NOT (
    is_bot OR is_staged OR coalesce(list_contains(getvariable('bots')::VARCHAR[], lower(username)), FALSE)
);

-- Somebody whom no digest names, by their wish.
CREATE OR REPLACE MACRO is_unnamed(username) AS coalesce(
    list_contains(getvariable('unnamed')::VARCHAR[], lower(username)), FALSE
);

-- The community's calendar day in which the build speaks; it is not over yet.
CREATE OR REPLACE MACRO as_of_day() AS local_day(as_of());

-- The Monday a day's week begins with.
CREATE OR REPLACE MACRO week_of(day) AS date_trunc('week', day)::DATE;

-- Whether numbers of a day will still move: answers, deletions and late records come within a week.
CREATE OR REPLACE MACRO is_final(day) AS day + 7 < as_of_day();

-- Whether a question waits, by what was found of it and whether its thread has a solution. What is found follows
-- the conversation, and the solution may stand outside it: a moderator's note, or a post that was moved elsewhere.
CREATE OR REPLACE MACRO is_waiting(level, rule, is_solved) AS
(level = 'L0' OR rule = 'asker_last') AND NOT is_solved;

-- How far figures of today look back.
CREATE OR REPLACE MACRO lookback() AS INTERVAL 90 DAYS;

-- How long after its last message a conversation is judged.
CREATE OR REPLACE MACRO conversation_lasts() AS INTERVAL 90 DAYS;

-- Whether a wait lies in a week that marts.waits holds whole. Questions begin 90 days before the moment: the
-- week in which that falls would lose some of them each night.
CREATE OR REPLACE MACRO is_in_whole_week(population, day) AS
population <> 'questions' OR week_of(day) > local_day(as_of() - lookback() - INTERVAL 1 MICROSECOND);

-- How old the message of a sour or toxic finding may be and still be told.
CREATE OR REPLACE MACRO heat_lasts() AS INTERVAL 14 DAYS;

-- Whether percentiles of so many waits are told, see sql/marts/wait_times.sql.
CREATE OR REPLACE MACRO are_enough_waits(waits) AS waits >= 20;

-- What an age at which some of those at risk had their event adds to the logarithm of the share that still
-- waits (Kaplan and Meier 1958); minus infinity where all had it.
CREATE OR REPLACE MACRO log_survival(events, at_risk) AS ln(1 - events / at_risk);

-- The share that still waits, of the sum of those logarithms up to an age; 0 where one is minus infinity.
-- Lower by a hair's breadth, for such sums are not exact: of a half it is true that it is <= 0.5.
CREATE OR REPLACE MACRO survival(logs) AS exp(logs) - 1e-9;

-- A share, not told of fewer than five: one person more would move it too far.
CREATE OR REPLACE MACRO rate(part, whole) AS CASE WHEN whole >= 5 THEN part / whole END;

-- Of a normal distribution 95 % lie within so many standard deviations. pipeline/wilson.py has the same.
CREATE OR REPLACE MACRO z95() AS 1.959964;

-- Where the true share lies with 95 % certainty (Wilson 1927); null under five, as the share is. The other
-- numbers are the square of z95(), its half and its quarter.
CREATE OR REPLACE MACRO rate_low(part, whole) AS CASE
    WHEN whole >= 5
        THEN greatest(0, (
            part / whole + 1.920729 / whole
            - z95() * sqrt(part / whole * (1 - part / whole) / whole + 0.960365 / whole / whole)
        ) / (1 + 3.841459 / whole))
END;
CREATE OR REPLACE MACRO rate_high(part, whole) AS CASE
    WHEN whole >= 5
        THEN least(1, (
            part / whole + 1.920729 / whole
            + z95() * sqrt(part / whole * (1 - part / whole) / whole + 0.960365 / whole / whole)
        ) / (1 + 3.841459 / whole))
END;

-- The probability that a standard normal number lies at least this far from 0, either way: Zelen and
-- Severo (1964), formula 26.2.17 of Abramowitz and Stegun; off by less than 0.0000002.
CREATE OR REPLACE MACRO two_sided_p(z) AS least(1, 2 * exp(-z * z / 2) / sqrt(2 * pi()) * (
    0.319381530 / (1 + 0.2316419 * abs(z))
    - 0.356563782 / (1 + 0.2316419 * abs(z)) ** 2
    + 1.781477937 / (1 + 0.2316419 * abs(z)) ** 3
    - 1.821255978 / (1 + 0.2316419 * abs(z)) ** 4
    + 1.330274429 / (1 + 0.2316419 * abs(z)) ** 5
));

-- The tiers of sql/marts/standings.sql, from the outermost inwards, and the place of one among them from 0.
CREATE OR REPLACE MACRO tiers() AS ['passer_by', 'user', 'contributor', 'core'];
CREATE OR REPLACE MACRO tier_rank(tier) AS list_position(tiers(), tier) - 1;

-- The hour (0 to 23) of a UTC time on the community's own clock.
CREATE OR REPLACE MACRO local_hour(at_utc) AS hour(local_time(at_utc))::INTEGER;

-- One name for an emoji that has two, both between colons.
CREATE OR REPLACE MACRO one_emoji(emoji) AS CASE emoji
    WHEN ':thumbsup:' THEN ':+1:'
    WHEN ':thumbsdown:' THEN ':-1:'
    ELSE emoji
END;

-- An emoji or like that says thanks.
CREATE OR REPLACE MACRO is_thanks(emoji) AS emoji IN (
    'like', ':+1:', ':thumbsup:', ':heart:', ':pray:', ':tada:', ':white_check_mark:', ':heavy_check_mark:'
);

-- The same of one that stands, by somebody who is known.
CREATE OR REPLACE MACRO is_somebodys_thanks(emoji, person_id, is_removed) AS
NOT is_removed AND person_id IS NOT NULL AND is_thanks(emoji);
