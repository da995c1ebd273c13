-- Two threads are alike by the rare words they share: a word weighs ln(threads / threads with it)
-- (Spaerck Jones 1972), and likeness is the weight of the shared words over that of the lighter of both.
-- Only words of at most 20 threads bring two together, and four of them: the work grows with the threads.
-- Weights are added up in order of size: fractions in any order differ in their last digits.
WITH asked AS (
    SELECT DISTINCT w.source, w.thread_id, w.created_at
    FROM marts.waits AS w
    WHERE w.event = 'response' AND w.created_at >= as_of() - lookback()
),

written AS (
    SELECT
        a.source, a.thread_id, a.created_at,
        lower(regexp_replace(
            concat_ws(' ', s.title, s.body), '```.*?```|<pre.*?</pre>|<[^>]*>|\[quote.*?\[/quote\]|https?://\S+', ' ', 'gs'
        )) AS body
    FROM asked AS a
    INNER JOIN marts.wordings AS s ON a.source = s.source AND a.thread_id = s.thread_id AND s.is_first
),

runs AS (
    SELECT source, thread_id, unnest(regexp_extract_all(body, '\p{Han}{2,}')) AS run
    FROM written
),

words AS (
    SELECT source, thread_id, unnest(regexp_extract_all(body, '[\p{Latin}\p{Cyrillic}\p{Greek}\p{N}_]{3,}')) AS word
    FROM written

    UNION

    SELECT source, thread_id, run[place:place + 1] AS word
    FROM (SELECT *, unnest(range(1, length(run))) AS place FROM runs) AS places
),

weighed AS (
    SELECT
        *,
        count(*) OVER (PARTITION BY word) AS threads,
        ln((SELECT count(*) FROM written) / count(*) OVER (PARTITION BY word)) AS weight
    FROM words
),

sizes AS (
    SELECT source, thread_id, sum(weight ORDER BY weight) AS weight
    FROM weighed
    GROUP BY source, thread_id
),

pairs AS (
    SELECT
        a.source, a.thread_id, b.source AS other_source, b.thread_id AS other_thread_id,
        sum(a.weight ORDER BY a.weight) AS weight,
        list(a.word ORDER BY a.weight DESC, a.word ASC) AS shared_words
    FROM weighed AS a
    INNER JOIN weighed AS b ON a.word = b.word AND a.source <> b.source
    WHERE a.threads <= 20
    GROUP BY a.source, a.thread_id, b.source, b.thread_id
    HAVING count(*) >= 4
)

SELECT
    p.source,
    p.thread_id,
    p.other_source,
    p.other_thread_id,
    p.weight / least(s.weight, o.weight) AS likeness,
    p.shared_words,
    coalesce(t.person_id = u.person_id, FALSE) AS is_by_same_person,
    t.has_response AS has_response,
    u.first_response_at AS other_first_response_at,
    NOT t.has_response AND u.has_response AS is_answered_elsewhere
FROM pairs AS p
INNER JOIN sizes AS s ON p.source = s.source AND p.thread_id = s.thread_id
INNER JOIN sizes AS o ON p.other_source = o.source AND p.other_thread_id = o.thread_id
INNER JOIN marts.threads AS t ON p.source = t.source AND p.thread_id = t.thread_id
INNER JOIN marts.threads AS u ON p.other_source = u.source AND p.other_thread_id = u.thread_id
WHERE p.weight / least(s.weight, o.weight) >= 0.4
