-- A procedure that cancels the session "victim" at a point of its run and keeps how long that took to arrive.
CREATE TABLE latency (name text, point float8, kind text, milliseconds float8);

CREATE PROCEDURE cancel_victim(name text, point float8, whole float8) LANGUAGE plpgsql AS $$
DECLARE
	victim record;
	sent timestamptz;
BEGIN
	-- 1. Wait until its report runs, then until the point. A report that is over by then tells nothing.
	FOR i IN 1 .. 20000 LOOP
		PERFORM pg_stat_clear_snapshot();
		SELECT pid, query_start, query INTO victim FROM pg_stat_activity
		WHERE application_name = 'victim' AND state = 'active' AND query LIKE '%crm.%' AND backend_type = 'client backend';
		EXIT WHEN FOUND;
		PERFORM pg_sleep(0.0005);
	END LOOP;
	IF victim IS NULL THEN
		RETURN;
	END IF;
	PERFORM pg_sleep(greatest(0, point * whole / 1000 - extract(epoch FROM clock_timestamp() - victim.query_start)::float8));

	-- 2. Cancel, and wait until the session, its workers included, has stopped.
	PERFORM pg_stat_clear_snapshot();
	IF NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.pid = victim.pid AND a.state = 'active') THEN
		RETURN;
	END IF;
	sent := clock_timestamp();
	PERFORM pg_cancel_backend(victim.pid);
	LOOP
		PERFORM pg_stat_clear_snapshot();
		EXIT WHEN NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.pid = victim.pid AND a.state = 'active' AND a.query_start = victim.query_start);
		PERFORM pg_sleep(0.0002);
	END LOOP;
	INSERT INTO latency VALUES (name, point, 'cancel', 1000 * extract(epoch FROM clock_timestamp() - sent));
END
$$;
