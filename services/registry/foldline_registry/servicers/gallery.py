"""GalleryService."""
# ruff: noqa: N802 - the names in the proto

from __future__ import annotations

from typing import Any

from foldline.api.registry.v1 import gallery_service_pb2 as pb
from foldline.api.registry.v1.gallery_service_pb2_grpc import GalleryServiceServicer
from foldline.domain.registry_events import Agreement
from foldline.wire import messages
from foldline_registry.aggregates.asset import Draft
from foldline_registry.handlers.gallery import Gallery
from foldline_registry.servicers import replies


class GalleryServicer(GalleryServiceServicer):
    def __init__(self, gallery: Gallery) -> None:
        self._gallery = gallery

    async def PublishAsset(self, request: pb.PublishAssetRequest, _context: Any) -> pb.PublishAssetResponse:
        draft = Draft(
            publisher=request.workspace,
            asset=request.asset,
            release=request.release,
            title=request.title,
            version=request.version,
            notes=request.notes,
            visibility=request.visibility,
            workspaces=tuple(request.workspaces),
            agreements=tuple(messages.from_message(one, Agreement) for one in request.agreements),
        )
        asset, subscribed = await self._gallery.publish(request.workflow, draft)
        return pb.PublishAssetResponse(
            asset=replies.asset(asset, subscribed=subscribed, to=request.workspace)
        )

    async def SetVisibility(
        self, request: pb.SetVisibilityRequest, _context: Any
    ) -> pb.SetVisibilityResponse:
        asset, subscribed = await self._gallery.set_visibility(
            request.workspace,
            request.asset,
            visibility=request.visibility,
            workspaces=request.workspaces,
        )
        return pb.SetVisibilityResponse(
            asset=replies.asset(asset, subscribed=subscribed, to=request.workspace)
        )

    async def ListAssets(self, request: pb.ListAssetsRequest, _context: Any) -> pb.ListAssetsResponse:
        page = await self._gallery.list(
            request.workspace,
            query=request.query,
            page_size=request.page_size,
            page_token=request.page_token,
        )
        return pb.ListAssetsResponse(
            assets=[
                replies.asset(asset, subscribed=subscribed, to=request.workspace)
                for asset, subscribed in page.items
            ],
            next_page_token=page.next_token,
        )

    async def GetAsset(self, request: pb.GetAssetRequest, _context: Any) -> pb.GetAssetResponse:
        asset, subscribed, release = await self._gallery.get(
            request.workspace, request.publisher, request.asset
        )
        return pb.GetAssetResponse(
            asset=replies.asset(asset, subscribed=subscribed, to=request.workspace),
            release=replies.release(release),
        )

    async def Subscribe(self, request: pb.SubscribeRequest, _context: Any) -> pb.SubscribeResponse:
        subscription = await self._gallery.subscribe(
            request.workspace, request.publisher, request.asset, accept=request.accept
        )
        return pb.SubscribeResponse(subscription=replies.subscription(subscription))

    async def Unsubscribe(self, request: pb.UnsubscribeRequest, _context: Any) -> pb.UnsubscribeResponse:
        await self._gallery.unsubscribe(request.workspace, request.publisher, request.asset)
        return pb.UnsubscribeResponse()

    async def ListSubscriptions(
        self, request: pb.ListSubscriptionsRequest, _context: Any
    ) -> pb.ListSubscriptionsResponse:
        found = await self._gallery.subscriptions(request.workspace)
        return pb.ListSubscriptionsResponse(subscriptions=[replies.subscription(one) for one in found])

    async def ImportAsset(self, request: pb.ImportAssetRequest, _context: Any) -> pb.ImportAssetResponse:
        workflow, release = await self._gallery.import_asset(
            request.workspace,
            request.publisher,
            request.asset,
            version=request.version,
            workflow=request.workflow,
            region=request.region,
        )
        return pb.ImportAssetResponse(workflow=replies.workflow(workflow, release))
