-- name: server
select current_setting('server_version') as version, current_setting('server_version_num')::int as number,
    (select rolsuper from pg_roles where rolname = current_user) as superuser

-- name: logging
select name, setting from pg_settings
where name in ('log_min_messages', 'log_statement', 'log_min_duration_statement', 'log_parameter_max_length',
    'log_parameter_max_length_on_error')

-- name: clock
select clock_timestamp() as now

-- name: kafka_participants
select id, kafka_username from organization where kafka_username is not null and active order by id

-- name: progress
select topic, partition, next_offset from progress

-- name: stopped
select topic, partition, stopped from progress where stopped is not null order by topic, partition

-- name: dead_letters
select (select count(*) from dead_letter where replayed_at is null) as waiting,
    (select count(*) from dead_letter where replayed_at is null and reason = 'our-failure') as failures,
    (select count(*) from parked) as parked,
    (select count(distinct (kind, stream_id)) from parked) as streams

-- name: rebuilding
select since, by_whom from rebuilding
