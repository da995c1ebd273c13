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

-- The moment the build speaks of (UTC). No query asks the clock.
CREATE OR REPLACE MACRO as_of() AS getvariable('as_of')::TIMESTAMP;

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

-- A flag, whether written true, 1, t or "true". Null stays null.
CREATE OR REPLACE MACRO flag(written) AS try_cast(written AS BOOLEAN);

-- The pseudonym of an account: HMAC-SHA256 (RFC 2104) of "source/account", first 16 hex digits.
-- Its key is a session variable and never stored.
CREATE OR REPLACE MACRO person_id(source, account_id) AS substr(
    sha256(getvariable('outer_pad') || unhex(sha256(getvariable('inner_pad') || encode(source || '/' || account_id)))),
    1, 16
);

-- The community's own calendar day of a UTC time.
CREATE OR REPLACE MACRO local_day(at_utc) AS ((at_utc AT TIME ZONE 'UTC') AT TIME ZONE getvariable('time_zone'))::DATE;

-- Hours between two times, fractions kept.
CREATE OR REPLACE MACRO hours_between(earlier, later) AS epoch_us(later - earlier) / 3600000000.0;

-- A human by the platform's word and by the settings' list of bots; staged accounts never logged in.
CREATE OR REPLACE MACRO is_human(is_bot, is_staged, username) AS NOT (
    is_bot OR is_staged OR coalesce(list_contains(getvariable('bots')::VARCHAR[], username), FALSE)
);
