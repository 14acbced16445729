"""Systems Manager Automation: documents whose steps are executed, as FIS's aws:ssm:start-automation-execution does."""
