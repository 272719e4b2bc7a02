DROP TABLE deleted_worker_models;
DROP TABLE deleted_actions;
DROP TABLE deleted_admins;
DROP TABLE deleted_members;
DROP TABLE deleted_groups;
