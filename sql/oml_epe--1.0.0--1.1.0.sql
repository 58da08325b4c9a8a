-- What 1.1.0 has that 1.0.0 has not.

ALTER TABLE pyqsys.jobs ADD COLUMN login boolean NOT NULL DEFAULT true;
COMMENT ON COLUMN pyqsys.jobs.login IS
    'Whether its owner must have the right to log in when it starts';
UPDATE pyqsys.jobs AS j SET login = false
WHERE j.state OPERATOR(pg_catalog.=) 'queued' AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_roles AS r
    WHERE r.oid OPERATOR(pg_catalog.=) j.owner::oid AND r.rolcanlogin);

-- Changes of jobs whose rows were locked by another session: made when they are free.
CREATE TABLE pyqsys.job_changes (
    number bigint NOT NULL DEFAULT nextval('pyqsys.job_numbers'),
    job uuid NOT NULL,
    attempt int,
    state text COLLATE "C" NOT NULL,
    error text[],
    progress float8,
    comment text,
    CONSTRAINT job_changes_key PRIMARY KEY (number)
);
CREATE INDEX job_changes_job ON pyqsys.job_changes (job);
COMMENT ON TABLE pyqsys.job_changes IS
    'Outcomes, cancellations and deletions of jobs that wait for the lock of the job''s row';
COMMENT ON COLUMN pyqsys.job_changes.number IS 'Order of the changes';
COMMENT ON COLUMN pyqsys.job_changes.job IS 'ID of the job';
COMMENT ON COLUMN pyqsys.job_changes.attempt IS 'Attempt that it is of; NULL: of a session';
COMMENT ON COLUMN pyqsys.job_changes.state IS 'State that the job gets, or deleted';
COMMENT ON COLUMN pyqsys.job_changes.error IS 'As in pyqsys.jobs';
COMMENT ON COLUMN pyqsys.job_changes.progress IS 'As in pyqsys.jobs';
COMMENT ON COLUMN pyqsys.job_changes.comment IS 'As in pyqsys.jobs';
REVOKE ALL ON pyqsys.job_changes FROM PUBLIC;
