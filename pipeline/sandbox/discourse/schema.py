"""Discourse's tables, by their own names and column types, in the `public` schema.

Columns that no community analysis could want (mail gateways, uploads, fonts) are left out. What
Discourse derives from other tables (user_stats, directory_items, post_replies) is a view here and
so always true. Source: model annotations of Discourse 3.1 and later migrations.
"""

from __future__ import annotations

TABLES = """
CREATE TYPE jsonb AS JSON;
CREATE TYPE inet AS VARCHAR;

CREATE TABLE topics (
    id INTEGER, title VARCHAR, last_posted_at TIMESTAMP, created_at TIMESTAMP,
    updated_at TIMESTAMP, views INTEGER DEFAULT 0, posts_count INTEGER DEFAULT 0, user_id INTEGER,
    last_post_user_id INTEGER, reply_count INTEGER DEFAULT 0, featured_user1_id INTEGER,
    featured_user2_id INTEGER, featured_user3_id INTEGER, featured_user4_id INTEGER,
    deleted_at TIMESTAMP, highest_post_number INTEGER DEFAULT 0, like_count INTEGER DEFAULT 0,
    incoming_link_count INTEGER DEFAULT 0, category_id INTEGER, visible BOOLEAN DEFAULT true,
    moderator_posts_count INTEGER DEFAULT 0, closed BOOLEAN DEFAULT false,
    archived BOOLEAN DEFAULT false, bumped_at TIMESTAMP, has_summary BOOLEAN DEFAULT false,
    archetype VARCHAR DEFAULT 'regular', notify_moderators_count INTEGER DEFAULT 0,
    spam_count INTEGER DEFAULT 0, pinned_at TIMESTAMP, score DOUBLE, percent_rank DOUBLE DEFAULT 1,
    subtype VARCHAR, slug VARCHAR, deleted_by_id INTEGER, participant_count INTEGER DEFAULT 1,
    word_count INTEGER, excerpt VARCHAR, pinned_globally BOOLEAN DEFAULT false,
    pinned_until TIMESTAMP, fancy_title VARCHAR, highest_staff_post_number INTEGER DEFAULT 0,
    featured_link VARCHAR, reviewable_score DOUBLE DEFAULT 0, image_upload_id BIGINT,
    slow_mode_seconds INTEGER DEFAULT 0, bannered_until TIMESTAMP, external_id VARCHAR,
    visibility_reason_id INTEGER, locale VARCHAR);
CREATE TABLE posts (
    id INTEGER, user_id INTEGER, topic_id INTEGER, post_number INTEGER, raw TEXT, cooked TEXT,
    created_at TIMESTAMP, updated_at TIMESTAMP, reply_to_post_number INTEGER,
    reply_count INTEGER DEFAULT 0, quote_count INTEGER DEFAULT 0, deleted_at TIMESTAMP,
    off_topic_count INTEGER DEFAULT 0, like_count INTEGER DEFAULT 0,
    incoming_link_count INTEGER DEFAULT 0, bookmark_count INTEGER DEFAULT 0, score DOUBLE,
    reads INTEGER DEFAULT 0, post_type INTEGER DEFAULT 1, sort_order INTEGER,
    last_editor_id INTEGER, hidden BOOLEAN DEFAULT false, hidden_reason_id INTEGER,
    notify_moderators_count INTEGER DEFAULT 0, spam_count INTEGER DEFAULT 0,
    illegal_count INTEGER DEFAULT 0, inappropriate_count INTEGER DEFAULT 0,
    last_version_at TIMESTAMP, user_deleted BOOLEAN DEFAULT false, reply_to_user_id INTEGER,
    percent_rank DOUBLE DEFAULT 1, notify_user_count INTEGER DEFAULT 0,
    like_score INTEGER DEFAULT 0, deleted_by_id INTEGER, edit_reason VARCHAR, word_count INTEGER,
    version INTEGER DEFAULT 1, cook_method INTEGER DEFAULT 1, wiki BOOLEAN DEFAULT false,
    baked_at TIMESTAMP, baked_version INTEGER, hidden_at TIMESTAMP, self_edits INTEGER DEFAULT 0,
    reply_quoted BOOLEAN DEFAULT false, via_email BOOLEAN DEFAULT false, raw_email TEXT,
    public_version INTEGER DEFAULT 1, action_code VARCHAR, locked_by_id INTEGER,
    image_upload_id BIGINT, outbound_message_id VARCHAR, locale VARCHAR);
CREATE TABLE users (
    id INTEGER, username VARCHAR, created_at TIMESTAMP, updated_at TIMESTAMP, name VARCHAR,
    last_posted_at TIMESTAMP, active BOOLEAN DEFAULT true, username_lower VARCHAR,
    last_seen_at TIMESTAMP, admin BOOLEAN DEFAULT false, last_emailed_at TIMESTAMP,
    trust_level INTEGER, approved BOOLEAN DEFAULT true, approved_by_id INTEGER,
    approved_at TIMESTAMP, previous_visit_at TIMESTAMP, suspended_at TIMESTAMP,
    suspended_till TIMESTAMP, date_of_birth DATE, views INTEGER DEFAULT 0,
    flag_level INTEGER DEFAULT 0, ip_address inet, moderator BOOLEAN DEFAULT false, title VARCHAR,
    uploaded_avatar_id INTEGER, locale VARCHAR, primary_group_id INTEGER,
    registration_ip_address inet, staged BOOLEAN DEFAULT false, first_seen_at TIMESTAMP,
    silenced_till TIMESTAMP, group_locked_trust_level INTEGER, manual_locked_trust_level INTEGER,
    secure_identifier VARCHAR, flair_group_id INTEGER);
CREATE TABLE user_emails (
    id INTEGER, user_id INTEGER, email VARCHAR, "primary" BOOLEAN DEFAULT true,
    created_at TIMESTAMP, updated_at TIMESTAMP, normalized_email VARCHAR);
CREATE TABLE user_visits (
    id INTEGER, user_id INTEGER, visited_at DATE, posts_read INTEGER DEFAULT 0,
    mobile BOOLEAN DEFAULT false, time_read INTEGER DEFAULT 0);
CREATE TABLE user_histories (
    id INTEGER, action INTEGER, acting_user_id INTEGER, target_user_id INTEGER, details TEXT,
    created_at TIMESTAMP, updated_at TIMESTAMP, context VARCHAR, ip_address VARCHAR, email VARCHAR,
    subject TEXT, previous_value TEXT, new_value TEXT, topic_id INTEGER,
    admin_only BOOLEAN DEFAULT false, post_id INTEGER, custom_type VARCHAR, category_id INTEGER);
CREATE TABLE post_actions (
    id INTEGER, post_id INTEGER, user_id INTEGER, post_action_type_id INTEGER,
    deleted_at TIMESTAMP, created_at TIMESTAMP, updated_at TIMESTAMP, deleted_by_id INTEGER,
    related_post_id INTEGER, staff_took_action BOOLEAN DEFAULT false, deferred_by_id INTEGER,
    targets_topic BOOLEAN DEFAULT false, agreed_at TIMESTAMP, agreed_by_id INTEGER,
    deferred_at TIMESTAMP, disagreed_at TIMESTAMP, disagreed_by_id INTEGER);
CREATE TABLE post_revisions (
    id INTEGER, user_id INTEGER, post_id INTEGER, modifications TEXT, number INTEGER,
    created_at TIMESTAMP, updated_at TIMESTAMP, hidden BOOLEAN DEFAULT false);
CREATE TABLE quoted_posts (
    id INTEGER, post_id INTEGER, quoted_post_id INTEGER, created_at TIMESTAMP,
    updated_at TIMESTAMP);
CREATE TABLE topic_links (
    id INTEGER, topic_id INTEGER, post_id INTEGER, user_id INTEGER, url VARCHAR, domain VARCHAR,
    internal BOOLEAN DEFAULT false, link_topic_id INTEGER, created_at TIMESTAMP,
    updated_at TIMESTAMP, reflection BOOLEAN DEFAULT false, clicks INTEGER DEFAULT 0,
    link_post_id INTEGER, title VARCHAR, quote BOOLEAN DEFAULT false, extension VARCHAR);
CREATE TABLE topic_allowed_users (
    id INTEGER, user_id INTEGER, topic_id INTEGER, created_at TIMESTAMP, updated_at TIMESTAMP);
CREATE TABLE topic_allowed_groups (id INTEGER, group_id INTEGER, topic_id INTEGER);
CREATE TABLE topic_tags (
    id INTEGER, topic_id INTEGER, tag_id INTEGER, created_at TIMESTAMP, updated_at TIMESTAMP);
CREATE TABLE tags (
    id INTEGER, name VARCHAR, created_at TIMESTAMP, updated_at TIMESTAMP,
    pm_topic_count INTEGER DEFAULT 0, target_tag_id INTEGER, description VARCHAR,
    public_topic_count INTEGER DEFAULT 0, staff_topic_count INTEGER DEFAULT 0, slug VARCHAR);
CREATE TABLE categories (
    id INTEGER, name VARCHAR, color VARCHAR DEFAULT '0088CC', topic_id INTEGER,
    topic_count INTEGER DEFAULT 0, created_at TIMESTAMP, updated_at TIMESTAMP,
    user_id INTEGER DEFAULT -1, slug VARCHAR, description TEXT, text_color VARCHAR DEFAULT 'FFFFFF',
    read_restricted BOOLEAN DEFAULT false, auto_close_hours DOUBLE, post_count INTEGER DEFAULT 0,
    latest_post_id INTEGER, latest_topic_id INTEGER, "position" INTEGER,
    parent_category_id INTEGER, name_lower VARCHAR, topic_template TEXT, sort_order VARCHAR,
    sort_ascending BOOLEAN, reviewable_by_group_id INTEGER, search_priority INTEGER DEFAULT 0);
CREATE TABLE category_custom_fields (
    id INTEGER, category_id INTEGER, name VARCHAR, value TEXT, created_at TIMESTAMP,
    updated_at TIMESTAMP);
CREATE TABLE category_groups (
    id INTEGER, category_id INTEGER, group_id INTEGER, created_at TIMESTAMP, updated_at TIMESTAMP,
    permission_type INTEGER DEFAULT 1);
CREATE TABLE groups (
    id INTEGER, name VARCHAR, created_at TIMESTAMP, updated_at TIMESTAMP,
    automatic BOOLEAN DEFAULT false, user_count INTEGER DEFAULT 0,
    primary_group BOOLEAN DEFAULT false, title VARCHAR, grant_trust_level INTEGER,
    has_messages BOOLEAN DEFAULT false, flair_bg_color VARCHAR, flair_color VARCHAR,
    bio_raw TEXT, bio_cooked TEXT, full_name VARCHAR, default_notification_level INTEGER DEFAULT 3,
    visibility_level INTEGER DEFAULT 0, public_exit BOOLEAN DEFAULT false,
    public_admission BOOLEAN DEFAULT false, messageable_level INTEGER DEFAULT 0,
    mentionable_level INTEGER DEFAULT 0, members_visibility_level INTEGER DEFAULT 0);
CREATE TABLE group_users (
    id INTEGER, group_id INTEGER, user_id INTEGER, created_at TIMESTAMP, updated_at TIMESTAMP,
    owner BOOLEAN DEFAULT false, notification_level INTEGER DEFAULT 2);
CREATE TABLE reviewables (
    id BIGINT, type VARCHAR, status INTEGER DEFAULT 0, created_by_id INTEGER,
    reviewable_by_moderator BOOLEAN DEFAULT true, reviewable_by_group_id INTEGER,
    category_id INTEGER, topic_id INTEGER, score DOUBLE DEFAULT 0,
    potential_spam BOOLEAN DEFAULT false, target_id INTEGER, target_type VARCHAR,
    target_created_by_id INTEGER, payload JSON, version INTEGER DEFAULT 0, latest_score TIMESTAMP,
    created_at TIMESTAMP, updated_at TIMESTAMP, force_review BOOLEAN DEFAULT false,
    reject_reason TEXT, potentially_illegal BOOLEAN DEFAULT false, type_source VARCHAR);
CREATE TABLE reviewable_scores (
    id BIGINT, reviewable_id INTEGER, user_id INTEGER, reviewable_score_type INTEGER,
    status INTEGER DEFAULT 0, score DOUBLE DEFAULT 0, take_action_bonus DOUBLE DEFAULT 0,
    reviewed_by_id INTEGER, reviewed_at TIMESTAMP, meta_topic_id INTEGER, created_at TIMESTAMP,
    updated_at TIMESTAMP, reason VARCHAR, user_accuracy_bonus DOUBLE DEFAULT 0, context VARCHAR);
CREATE TABLE reviewable_histories (
    id BIGINT, reviewable_id INTEGER, reviewable_history_type INTEGER, status INTEGER,
    created_by_id INTEGER, edited JSON, created_at TIMESTAMP, updated_at TIMESTAMP);
CREATE TABLE flags (
    id BIGINT, name VARCHAR, name_key VARCHAR, description TEXT, notify_type BOOLEAN DEFAULT false,
    "position" INTEGER, enabled BOOLEAN DEFAULT true, score_type BOOLEAN DEFAULT false,
    created_at TIMESTAMP, updated_at TIMESTAMP);
CREATE TABLE topic_custom_fields (
    id INTEGER, topic_id INTEGER, name VARCHAR, value TEXT, created_at TIMESTAMP,
    updated_at TIMESTAMP);
CREATE TABLE post_custom_fields (
    id INTEGER, post_id INTEGER, name VARCHAR, value TEXT, created_at TIMESTAMP,
    updated_at TIMESTAMP);
CREATE TABLE moved_posts (
    id BIGINT, old_topic_id BIGINT, old_post_id BIGINT, old_post_number BIGINT,
    new_topic_id BIGINT, new_topic_title VARCHAR, new_post_id BIGINT, new_post_number BIGINT,
    created_new_topic BOOLEAN DEFAULT false, user_id INTEGER, created_at TIMESTAMP,
    updated_at TIMESTAMP);
CREATE TABLE discourse_reactions_reactions (
    id BIGINT, post_id INTEGER, reaction_type INTEGER DEFAULT 0, reaction_value VARCHAR,
    reaction_users_count INTEGER DEFAULT 0, created_at TIMESTAMP, updated_at TIMESTAMP);
CREATE TABLE discourse_reactions_reaction_users (
    id BIGINT, reaction_id INTEGER, user_id INTEGER, post_id INTEGER, created_at TIMESTAMP,
    updated_at TIMESTAMP);
CREATE TABLE chat_channels (
    id BIGINT, chatable_id INTEGER, deleted_at TIMESTAMP, deleted_by_id INTEGER,
    chatable_type VARCHAR DEFAULT 'Category', created_at TIMESTAMP, updated_at TIMESTAMP,
    name VARCHAR, description TEXT, status INTEGER DEFAULT 0, user_count INTEGER DEFAULT 0,
    slug VARCHAR, type VARCHAR DEFAULT 'CategoryChannel', threading_enabled BOOLEAN DEFAULT false);
CREATE TABLE chat_messages (
    id BIGINT, chat_channel_id INTEGER, user_id INTEGER, created_at TIMESTAMP,
    updated_at TIMESTAMP, deleted_at TIMESTAMP, deleted_by_id INTEGER, in_reply_to_id INTEGER,
    message TEXT, cooked TEXT, cooked_version INTEGER, last_editor_id INTEGER, thread_id INTEGER);
CREATE TABLE chat_threads (
    id BIGINT, channel_id INTEGER, original_message_id INTEGER,
    original_message_user_id INTEGER, status INTEGER DEFAULT 0, title VARCHAR,
    created_at TIMESTAMP, updated_at TIMESTAMP, replies_count INTEGER DEFAULT 0,
    last_message_id BIGINT, force BOOLEAN DEFAULT false);
CREATE TABLE chat_mentions (
    id BIGINT, chat_message_id INTEGER, target_id INTEGER, type VARCHAR, created_at TIMESTAMP,
    updated_at TIMESTAMP);
CREATE TABLE chat_message_revisions (
    id BIGINT, chat_message_id INTEGER, old_message TEXT, new_message TEXT, created_at TIMESTAMP,
    updated_at TIMESTAMP, user_id INTEGER);
CREATE TABLE chat_message_reactions (
    id BIGINT, chat_message_id INTEGER, user_id INTEGER, emoji VARCHAR, created_at TIMESTAMP,
    updated_at TIMESTAMP);
CREATE TABLE data_explorer_queries (
    id BIGINT, name VARCHAR, description TEXT, sql TEXT DEFAULT 'SELECT 1', user_id INTEGER,
    last_run_at TIMESTAMP, hidden BOOLEAN DEFAULT false, created_at TIMESTAMP,
    updated_at TIMESTAMP);
CREATE TABLE data_explorer_query_groups (id BIGINT, query_id BIGINT, group_id INTEGER);
"""

SOLVED = {
    1: "",  # topic_custom_fields and post_custom_fields
    2: """
CREATE TABLE discourse_solved_solved_topics (
    id BIGINT, topic_id INTEGER, answer_post_id INTEGER, accepter_user_id INTEGER,
    topic_timer_id INTEGER, created_at TIMESTAMP, updated_at TIMESTAMP);
""",
    3: """
CREATE TABLE discourse_solved_solved_topics (
    id BIGINT, topic_id INTEGER, topic_timer_id INTEGER, created_at TIMESTAMP,
    updated_at TIMESTAMP);
CREATE TABLE discourse_solved_topic_answers (
    id BIGINT, solved_topic_id BIGINT, answer_post_id INTEGER, accepter_user_id INTEGER,
    created_at TIMESTAMP, updated_at TIMESTAMP);
""",
}

SOLUTIONS = {  # what the three generations of the Solved plugin say, in one shape
    1: """
CREATE VIEW main.solutions AS
SELECT topic_id, try_cast(value AS INTEGER) AS post_id, NULL::INTEGER AS accepter_user_id,
    created_at
FROM topic_custom_fields WHERE name = 'accepted_answer_post_id';
""",
    2: """
CREATE VIEW main.solutions AS
SELECT topic_id, answer_post_id AS post_id, accepter_user_id, created_at
FROM discourse_solved_solved_topics;
""",
    3: """
CREATE VIEW main.solutions AS
SELECT s.topic_id, a.answer_post_id AS post_id, a.accepter_user_id, a.created_at
FROM discourse_solved_solved_topics AS s
JOIN discourse_solved_topic_answers AS a ON a.solved_topic_id = s.id;
""",
}

VIEWS = """
CREATE VIEW user_stats AS
WITH written AS (
    SELECT p.user_id, count(*)::INTEGER AS post_count,
        (count(*) FILTER (p.post_number = 1))::INTEGER AS topic_count,
        min(p.created_at) AS first_post_created_at
    FROM posts AS p JOIN topics AS t ON t.id = p.topic_id
    WHERE p.deleted_at IS NULL AND t.deleted_at IS NULL AND p.post_type = 1
        AND t.archetype <> 'private_message'
    GROUP BY p.user_id),
given AS (
    SELECT user_id, count(*)::INTEGER AS likes FROM post_actions
    WHERE post_action_type_id = 2 AND deleted_at IS NULL GROUP BY user_id),
received AS (
    SELECT p.user_id, count(*)::INTEGER AS likes
    FROM post_actions AS a JOIN posts AS p ON p.id = a.post_id
    WHERE a.post_action_type_id = 2 AND a.deleted_at IS NULL GROUP BY p.user_id),
visited AS (
    SELECT user_id, count(*)::INTEGER AS days, sum(posts_read)::INTEGER AS posts_read,
        sum(time_read)::INTEGER AS time_read
    FROM user_visits GROUP BY user_id)
SELECT u.id AS user_id, 0 AS topics_entered, coalesce(v.time_read, 0) AS time_read,
    coalesce(v.days, 0) AS days_visited, coalesce(v.posts_read, 0) AS posts_read_count,
    coalesce(g.likes, 0) AS likes_given, coalesce(r.likes, 0) AS likes_received,
    u.created_at AS new_since, NULL::TIMESTAMP AS read_faq, w.first_post_created_at,
    coalesce(w.post_count, 0) AS post_count, coalesce(w.topic_count, 0) AS topic_count,
    0::DOUBLE AS bounce_score, 0 AS flags_agreed, 0 AS flags_disagreed, 0 AS flags_ignored,
    0 AS distinct_badge_count, 0 AS post_edits_count
FROM users AS u
LEFT JOIN written AS w ON w.user_id = u.id
LEFT JOIN given AS g ON g.user_id = u.id
LEFT JOIN received AS r ON r.user_id = u.id
LEFT JOIN visited AS v ON v.user_id = u.id;
CREATE VIEW directory_items AS
SELECT (user_id * 10 + period_type)::INTEGER AS id, period_type::INTEGER AS period_type, user_id,
    likes_received, likes_given, topics_entered, topic_count, post_count, new_since AS created_at,
    new_since AS updated_at, days_visited, posts_read_count AS posts_read
FROM user_stats, unnest([1, 2, 3, 4, 5, 6]) AS period(period_type)
WHERE user_id > 0;
CREATE VIEW post_replies AS
SELECT DISTINCT parent.id AS post_id, child.created_at, child.created_at AS updated_at,
    child.id AS reply_post_id
FROM posts AS child JOIN posts AS parent
    ON parent.topic_id = child.topic_id AND parent.post_number = child.reply_to_post_number
WHERE child.deleted_at IS NULL
UNION
SELECT q.quoted_post_id, child.created_at, child.created_at, child.id
FROM quoted_posts AS q JOIN posts AS child ON child.id = q.post_id
WHERE child.deleted_at IS NULL;
CREATE VIEW main.catalogue AS
SELECT table_catalog, table_schema, table_name, column_name, ordinal_position, column_default,
    is_nullable,
    CASE split_part(data_type, '(', 1)
        WHEN 'VARCHAR' THEN 'character varying' WHEN 'TIMESTAMP' THEN 'timestamp without time zone'
        WHEN 'DOUBLE' THEN 'double precision' ELSE lower(data_type)
    END AS data_type
FROM information_schema.columns
WHERE table_schema = 'public';
"""
