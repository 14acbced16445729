"""FIS has no action for an Aurora global database: an SSM automation document switches it over, as AWS's own samples do.

https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-action-executeawsapi.html,
https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-action-waitforawsresourceproperty.html
"""

from __future__ import annotations

from infra_fixtures.fis.written import Automation

GLOBAL_CLUSTER, STANDBY_CLUSTER = "<GLOBAL CLUSTER ID>", "<STANDBY CLUSTER ARN>"

SWITCHOVER = Automation(
    "aurora-global-switchover",
    {
        "schemaVersion": "0.3",
        "description": "Switch an Aurora global database over to another region's cluster, and wait until it is available",
        "assumeRole": "{{ AutomationAssumeRole }}",
        "parameters": {
            "AutomationAssumeRole": {"type": "AWS::IAM::Role::Arn", "description": "What the automation acts as"},
            "GlobalClusterIdentifier": {"type": "String", "description": "The global database"},
            "TargetDbClusterIdentifier": {
                "type": "String",
                "description": "ARN of the cluster that becomes the writer",
            },
        },
        "mainSteps": [
            {
                "name": "switchover",
                "action": "aws:executeAwsApi",
                "inputs": {
                    "Service": "rds",
                    "Api": "SwitchoverGlobalCluster",
                    "GlobalClusterIdentifier": "{{ GlobalClusterIdentifier }}",
                    "TargetDbClusterIdentifier": "{{ TargetDbClusterIdentifier }}",
                },
            },
            # Right after the call the status may be the one from before it.
            {"name": "begun", "action": "aws:sleep", "inputs": {"Duration": "PT30S"}},
            {
                "name": "available",
                "action": "aws:waitForAwsResourceProperty",
                "timeoutSeconds": 1800,
                "inputs": {
                    "Service": "rds",
                    "Api": "DescribeGlobalClusters",
                    "GlobalClusterIdentifier": "{{ GlobalClusterIdentifier }}",
                    "PropertySelector": "$.GlobalClusters[0].Status",
                    "DesiredValues": ["available"],
                },
                "isEnd": True,
            },
        ],
    },
    permissions=("rds:SwitchoverGlobalCluster", "rds:DescribeGlobalClusters"),
    parameters={"GlobalClusterIdentifier": GLOBAL_CLUSTER, "TargetDbClusterIdentifier": STANDBY_CLUSTER},
)
"""What has to be filled in stands in the template's documentParameters, as <...>."""
