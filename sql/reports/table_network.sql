SELECT
    source,
    count(*) FILTER (replies_given > 0) AS helping,
    count(*) FILTER (replies_got > 0) AS helped,
    sum(replies_given)::BIGINT AS replies,
    rate(sum(returned_replies), sum(replies_given)) AS reciprocity_rate
FROM marts.reply_network
GROUP BY source
ORDER BY source
